"""Turn averaged weights into the files that the library ships: 8-bit integers, calibrated on made pictures.

Their input are the grey levels themselves, in 8 bits: of each view the pixels of each 4 x 4 as 16 channels, which come
last, as the runtime has them inside.

    python -m infra.models.burned_in.export BACKGROUNDS.npz WEIGHTS.pt FOLDER [--networks glance screen] [--float]
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from infra.models.burned_in import views
from infra.models.burned_in.fonts import Phrases, collect
from infra.models.burned_in.generate import FINE, Maker, real
from infra.models.burned_in.network import NETWORKS, STEP, Looking

WEIGHTS = Path(__file__).with_name("weights.pt")
"""Where the weights go besides: they give the same files again, and a later training can start with them."""
CALIBRATED, CALIBRATION = 200, 5 * 10**9
"""Pictures from which the ranges of the integers are taken, and the first of their seeds."""


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, backgrounds: Path, network: Looking) -> None:
        maker = Maker(collect(held_out=False), Phrases(held_out=False), real(backgrounds, held_out=False))
        made = [maker.sample(CALIBRATION + number) for number in range(CALIBRATED)]
        fine = torch.from_numpy(np.stack([sample.fine for sample in made])).float() / FINE
        one = network.views == 1
        seen = fine.round()[:, None] if one else views.made(fine, torch.Generator().manual_seed(CALIBRATION))
        self.left = list(nn.functional.pixel_unshuffle(seen, 4) * STEP - 1)

    def get_next(self) -> dict[str, Any] | None:
        """One picture, until there is none left."""
        return {"blocks": self.left.pop()[None].numpy().astype(np.float32)} if self.left else None


class _Joined(nn.Module):
    """The network with every normalisation inside the convolution before it."""

    def __init__(self, network: Looking) -> None:
        super().__init__()
        self.network = network
        for module in network.modules():
            if isinstance(module, nn.Sequential) and len(module) == 3 and isinstance(module[1], nn.BatchNorm2d):
                module[0] = nn.utils.fuse_conv_bn_eval(module[0], module[1])
                module[1] = nn.Identity()

    def forward(self, blocks: Tensor) -> Tensor:
        return self.network.blocks(blocks)


def main() -> None:
    """Export, and quantise unless asked not to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("weights", type=Path, help="a checkpoint, or weights.pt")
    parser.add_argument("out", type=Path, help="folder for NETWORK.onnx")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--float", action="store_true", help="32-bit weights, to see what the integers cost")
    options = parser.parse_args()
    stored = torch.load(options.weights, map_location="cpu", weights_only=True)
    held = {name: stored[name].get("averaged", stored[name]) for name in options.networks}
    kept = torch.load(WEIGHTS, weights_only=True) if WEIGHTS.exists() else {}
    torch.save(kept | held, WEIGHTS)
    for name in options.networks:
        network = NETWORKS[name]()
        network.load_state_dict(held[name])
        _export(network.eval(), options.out / f"{name}.onnx", options)


def _export(network: Looking, out: Path, options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        exact = out if options.float else Path(folder) / "exact.onnx"
        any_size = {"blocks": {2: "rows", 3: "columns"}, "logits": {2: "cell_rows", 3: "cell_columns"}}
        torch.onnx.export(
            _Joined(network), torch.zeros(1, 16 * network.views, 64, 64), str(exact), input_names=["blocks"],
            output_names=["logits"], dynamic_axes=any_size, opset_version=17, dynamo=False,
        )  # fmt: skip
        if not options.float:
            ready = Path(folder) / "ready.onnx"
            quant_pre_process(str(exact), str(ready), skip_symbolic_shape=True)
            quantize_static(
                str(ready), str(out), _Pictures(options.backgrounds, network), quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True,
                op_types_to_quantize=["Conv", "Relu", "Add", "Resize"],
            )  # fmt: skip
            _take_integers(out)


def _take_integers(path: Path) -> None:
    """Let the grey levels come in as they are: the first step of the file only made them integers again."""
    model = onnx.load(str(path))
    graph = model.graph
    (first,) = [node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == "blocks"]
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    scale, zero = (float(stored[name]) for name in first.input[1:3])
    assert abs(scale - STEP) < 1e-6, "the calibration did not see all grey levels"
    assert zero * STEP == 1, "the calibration did not see all grey levels"
    graph.node.remove(first)
    graph.node.insert(0, onnx.helper.make_node("Transpose", ["blocks"], [first.output[0]], perm=[0, 3, 1, 2]))
    seen = graph.input[0].type.tensor_type
    seen.elem_type = onnx.TensorProto.UINT8
    one, channels, rows, columns = seen.shape.dim
    in_order = [
        onnx.TensorShapeProto.Dimension.FromString(each.SerializeToString()) for each in (one, rows, columns, channels)
    ]
    del seen.shape.dim[:]
    seen.shape.dim.extend(in_order)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


if __name__ == "__main__":
    main()
