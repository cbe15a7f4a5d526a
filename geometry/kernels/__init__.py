"""Triton kernels behind geometry's functions; chosen by device, never needed."""

import importlib.util

HAS_TRITON = importlib.util.find_spec("triton") is not None
