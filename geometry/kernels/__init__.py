"""Triton kernels behind geometry's functions; chosen by device, never needed."""

import importlib.util

import torch

# They hold PTX, which only NVIDIA's GPUs run.
HAS_TRITON = importlib.util.find_spec("triton") is not None and torch.version.hip is None
