"""Networks as ONNX, run on one core: images run in processes."""

from typing import Any


def session(weights: bytes) -> Any:
    """A network that can be run.

    Without patterns of what memory a run needs: they help only where pictures have one size, and cost an engine that
    gets parts of every size a tenth of a gigabyte.
    """
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 4
    return InferenceSession(weights, options, providers=["CPUExecutionProvider"])
