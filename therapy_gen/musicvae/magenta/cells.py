"""TensorFlow's LSTM cells, in NumPy and float32: gates in the order i, j, f, o, with a forget bias of 1 not stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
State = list[FloatArray]

FORGET_BIAS = 1.0


@dataclass(frozen=True)
class LstmLayer:
    """An LSTM layer: `inputs` (width, 4 units) and `recurrent` (units, 4 units) are views into one kernel."""

    inputs: FloatArray
    recurrent: FloatArray
    kernel: FloatArray
    bias: FloatArray

    @property
    def units(self) -> int:
        """Width of its state."""
        return len(self.recurrent)


def layer(arrays: Mapping[str, FloatArray], scope: str) -> LstmLayer:
    """Return the layer of a variable scope (``LSTMBlockCell``, arXiv 1409.2329)."""
    kernel = arrays[f"{scope}/kernel"]
    units = kernel.shape[1] // 4
    bias = np.array(arrays[f"{scope}/bias"])
    bias[2 * units : 3 * units] += FORGET_BIAS
    return LstmLayer(kernel[:-units], kernel[-units:], kernel, bias)


def advance(gates: FloatArray, cell: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return hidden and cell state after one step, given the sums at the gates (n, 4 units), biases included."""
    units = cell.shape[-1]
    with np.errstate(over="ignore"):
        opened = np.exp(-gates)
    opened += 1.0
    np.reciprocal(opened, out=opened)
    cell = opened[:, 2 * units : 3 * units] * cell
    cell += opened[:, :units] * np.tanh(gates[:, units : 2 * units])
    return opened[:, 3 * units :] * np.tanh(cell), cell


def split_state(flat: FloatArray, units: Sequence[int]) -> tuple[State, State]:
    """Return hidden and cell states of each layer from a flat state (n, 2 sum(units)): c0, h0, c1, h1 and so on."""
    edges = np.cumsum([size for size in units for _ in range(2)])[:-1]
    parts = np.split(flat, edges, axis=-1)
    return parts[1::2], parts[0::2]


def dense(arrays: Mapping[str, FloatArray], name: str, x: FloatArray) -> FloatArray:
    """Return a dense layer without activation."""
    return x @ arrays[f"{name}/kernel"] + arrays[f"{name}/bias"]
