"""Triton kernels behind geometry's functions; chosen by device, never needed."""
