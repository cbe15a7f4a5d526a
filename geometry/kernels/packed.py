"""Two bfloat16 numbers in a 32-bit register, for Triton kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometric_invariants.geometry.kernels import HAS_TRITON

if TYPE_CHECKING or HAS_TRITON:
    import triton
    import triton.language as tl

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def on_pairs(INSTRUCTION: tl.constexpr, a, b):  # type: ignore[no-untyped-def]  # noqa: N803
        """A PTX instruction from $1 and $2 to $0, on int32 that hold a pair each."""
        return tl.inline_asm_elementwise(
            INSTRUCTION,
            "=r,r,r",
            [a, b],
            dtype=tl.int32,
            is_pure=True,
            pack=1,
        )
