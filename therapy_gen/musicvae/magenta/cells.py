"""TensorFlow's LSTM cells, in NumPy and float32: gates in the order i, j, f, o, with a forget bias of 1 not stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.shared_products import BLOCK_COLUMNS, BLOCK_ROWS, in_blocks, share, times_blocks

FloatArray = npt.NDArray[np.float32]
State = list[FloatArray]

FORGET_BIAS = 1.0
# From so many units on, a layer's weights do not fit into a core's cache.
_WIDE = 512
# Units whose gates are computed by one thread at a time.
_GROUP = 256


@dataclass(frozen=True)
class LstmLayer:
    """An LSTM layer: `inputs` (width, 4 units) and `recurrent` (units, 4 units) are views into one kernel.

    With `first`, steps multiply only the recurrent part, since inputs are added at the gates.
    """

    inputs: FloatArray
    recurrent: FloatArray
    kernel: FloatArray
    bias: FloatArray
    first: bool = False

    @property
    def units(self) -> int:
        """Width of its state."""
        return len(self.recurrent)

    @cached_property
    def blocks(self) -> FloatArray | None:
        """A wide layer's weights in blocks; made on first use."""
        weights = self.recurrent if self.first else self.kernel
        if self.units < _WIDE or self.units % _GROUP or len(weights) % BLOCK_ROWS:
            return None
        return in_blocks(weights, self.units // _GROUP, sides=4)

    def step(self, x: FloatArray, added: FloatArray, cell: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return hidden and cell state after one step.

        Parameters
        ----------
        x : array of shape (n, units), or (n, width + units) where the layer is not the first
        added : array of shape (n, 4 units) or (4 units,)
            Added at the gates: biases, and inputs multiplied elsewhere.
        cell : array of shape (n, units)
        """
        if self.blocks is None:
            return advance(x @ (self.recurrent if self.first else self.kernel) + added, cell)
        return _advance_in_groups(x, self.blocks, added, cell)


def layer(arrays: Mapping[str, FloatArray], scope: str, *, first: bool = False) -> LstmLayer:
    """Return the layer of a variable scope (``LSTMBlockCell``, arXiv 1409.2329)."""
    kernel = arrays[f"{scope}/kernel"]
    units = kernel.shape[1] // 4
    bias = np.array(arrays[f"{scope}/bias"])
    bias[2 * units : 3 * units] += FORGET_BIAS
    return LstmLayer(kernel[:-units], kernel[-units:], kernel, bias, first)


def advance(gates: FloatArray, cell: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return hidden and cell state after one step, given the sums at the gates (n, 4 units), biases included."""
    return _open_gates(np.split(gates, 4, axis=-1), cell)


def _open_gates(sums: Sequence[FloatArray] | FloatArray, cell: FloatArray) -> tuple[FloatArray, FloatArray]:
    into, new, forget, out = sums
    cell = _sigmoid(forget) * cell
    cell += _sigmoid(into) * np.tanh(new)
    return _sigmoid(out) * np.tanh(cell), cell


def _sigmoid(x: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        opened: FloatArray = np.exp(-x)
    opened += 1.0
    return np.reciprocal(opened, out=opened)


def _advance_in_groups(
    x: FloatArray, blocks: FloatArray, added: FloatArray, cell: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Advance a wide layer; the threads that take part each take a group of its units at a time."""
    groups, each = len(blocks), _GROUP // BLOCK_COLUMNS
    at_gates = added.reshape(-1, 4, groups, each, BLOCK_COLUMNS).transpose(2, 1, 3, 0, 4)
    hidden, after = np.empty_like(cell), np.empty_like(cell)
    before, new_hidden, new_cell = (
        state.reshape(-1, groups, each, BLOCK_COLUMNS).transpose(1, 2, 0, 3) for state in (cell, hidden, after)
    )

    def compute(group: int) -> None:
        sums = times_blocks(x, blocks[group]).reshape(4, each, len(x), BLOCK_COLUMNS)
        sums += at_gates[group]
        new_hidden[group], new_cell[group] = _open_gates(sums, before[group])

    share(compute, groups)
    return hidden, after


def split_state(flat: FloatArray, units: Sequence[int]) -> tuple[State, State]:
    """Return hidden and cell states of each layer from a flat state (n, 2 sum(units)): c0, h0, c1, h1 and so on."""
    edges = np.cumsum([size for size in units for _ in range(2)])[:-1]
    parts = np.split(flat, edges, axis=-1)
    return parts[1::2], parts[0::2]


def dense(arrays: Mapping[str, FloatArray], name: str, x: FloatArray) -> FloatArray:
    """Return a dense layer without activation."""
    return x @ arrays[f"{name}/kernel"] + arrays[f"{name}/bias"]
