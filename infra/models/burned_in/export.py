"""Turn averaged weights into the file that the library ships: 8-bit integers, calibrated on made pictures.

python -m infra.models.burned_in.export BACKGROUNDS.npz CHECKPOINT.pt OUT.onnx [--float]
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from infra.models.burned_in.fonts import Phrases, collect
from infra.models.burned_in.generate import Maker, real
from infra.models.burned_in.network import Network

WEIGHTS = Path(__file__).with_name("weights.pt")
"""Where the weights go besides, in 16 bits: a later training can start with them."""
CALIBRATED, CALIBRATION = 200, 5 * 10**9
"""Pictures from which the ranges of the integers are taken, and the first of their seeds."""


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, backgrounds: Path) -> None:
        maker = Maker(collect(held_out=False), Phrases(held_out=False), real(backgrounds, held_out=False))
        self.left = [maker.sample(CALIBRATION + number).picture for number in range(CALIBRATED)]

    def get_next(self) -> dict[str, Any] | None:
        """One picture, until there is none left."""
        return {"pictures": self.left.pop()[None, None].astype(np.float32)} if self.left else None


class _Joined(nn.Module):
    """The network with every normalisation inside the convolution before it."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        for module in network.modules():
            if isinstance(module, nn.Sequential) and len(module) == 3 and isinstance(module[1], nn.BatchNorm2d):
                module[0] = nn.utils.fuse_conv_bn_eval(module[0], module[1])
                module[1] = nn.Identity()

    def forward(self, pictures: Tensor) -> Tensor:
        return self.network(pictures)  # type: ignore[no-any-return]


def main() -> None:
    """Export, and quantise unless asked not to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--float", action="store_true", help="32-bit weights, to see what the integers cost")
    options = parser.parse_args()
    network = Network()
    averaged = torch.load(options.checkpoint, weights_only=True)["averaged"]
    network.load_state_dict(averaged)
    halves = {name: value.half() if value.is_floating_point() else value for name, value in averaged.items()}
    torch.save(halves, WEIGHTS)
    joined = _Joined(network.eval())
    with tempfile.TemporaryDirectory() as folder:
        exact = options.out if options.float else Path(folder) / "exact.onnx"
        any_size = {"pictures": {2: "rows", 3: "columns"}, "logits": {2: "cell_rows", 3: "cell_columns"}}
        torch.onnx.export(
            joined, torch.zeros(1, 1, 256, 256), str(exact), input_names=["pictures"], output_names=["logits"],
            dynamic_axes=any_size, opset_version=17, dynamo=False,
        )  # fmt: skip
        if not options.float:
            ready = Path(folder) / "ready.onnx"
            quant_pre_process(str(exact), str(ready), skip_symbolic_shape=True)
            quantize_static(
                str(ready), str(options.out), _Pictures(options.backgrounds), quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True,
                op_types_to_quantize=["Conv", "Add", "Resize"],
            )  # fmt: skip


if __name__ == "__main__":
    main()
