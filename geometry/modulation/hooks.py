"""Attaching a modulator to a model: before chosen blocks, and off again whatever happens.

Forward pre-hooks give the numbers that stepping through the blocks by hand gives, with no care of
masks or biases, and work inside `generate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from torch import Tensor, nn


class Modulator(Protocol):
    """Anything that changes states [batch, positions, d] before block `layer`."""

    def __call__(self, states: Tensor, tokens: Any, layer: int) -> Tensor: ...


def transformer_blocks(stack: nn.Module) -> nn.ModuleList:
    """The blocks of a stack: its longest list of modules of one class.

    Raises ValueError for a module without such a list.
    """
    lists = [
        m
        for m in stack.modules()
        if isinstance(m, nn.ModuleList) and len({type(block) for block in m}) == 1
    ]
    if not lists:
        raise ValueError(f"{type(stack).__name__} has no list of blocks to attach to")
    return max(lists, key=len)


@contextmanager
def modulated(
    stack: nn.Module, modulator: Modulator, layers: Iterable[int] | None = None
) -> Iterator[None]:
    """Within the context, `modulator` changes the states before the chosen blocks of a stack.

    `stack` is what is called with `input_ids`: an encoder, or a model of one stack. All blocks
    unless `layers` names some. Raises ValueError for a layer that is not there, or (on the forward
    pass) if the stack is called without token ids.
    """
    blocks = transformer_blocks(stack)
    chosen = range(len(blocks)) if layers is None else sorted(set(layers))
    absent = [layer for layer in chosen if not 0 <= layer < len(blocks)]
    if absent:
        raise ValueError(f"layers {absent} are not among the {len(blocks)} of this stack")
    tokens: list[Tensor] = []

    def remember(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        del module
        ids = kwargs.get("input_ids", args[0] if args else None)
        if ids is None:
            raise ValueError("a modulated stack must be called with input_ids")
        tokens[:] = [ids]

    def changing(layer: int) -> Any:
        def change(
            module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]]:
            del module
            if args:
                return (modulator(args[0], tokens[0], layer), *args[1:]), kwargs
            states = modulator(kwargs["hidden_states"], tokens[0], layer)
            return args, kwargs | {"hidden_states": states}

        return change

    with ExitStack() as attached:
        handle = stack.register_forward_pre_hook(remember, with_kwargs=True, prepend=True)
        attached.callback(handle.remove)
        for layer in chosen:
            hook = blocks[layer].register_forward_pre_hook(changing(layer), with_kwargs=True)
            attached.callback(hook.remove)
        yield
