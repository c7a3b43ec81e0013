# SPDX-License-Identifier: MIT
"""The fused field, losses and Adam in Triton's interpreter, in a process of their own, against torch in float64."""

from importlib.util import find_spec
from typing import Any

import pytest
import torch

from fastsdf.field.backends.torch_reference import TorchBackend
from fastsdf.training.adam import adam_update
from tests.helpers.adam_cases import SIZES, adam_steps, start_of
from tests.helpers.field_cases import CASES, NAMES, error, field_for, in_float64, outputs_and_gradients
from tests.helpers.interpreter import interpreted_by
from tests.helpers.loss_cases import LOSS_CASES, losses_and_gradients, reference
from tests.helpers.training_step_cases import STEP_CASES, step_field, terms_and_gradients

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")

VALUE, DIFFERENCE = 1e-6, 1e-3  # float32, and the rounding of float16 products (about 3e-4)


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `interpreted_field` saves."""
    return interpreted_by("interpreted_field", tmp_path_factory.mktemp("triton"))


@pytest.mark.parametrize("name", CASES)
def test_the_fused_field_agrees_with_the_reference(interpreted, name: str) -> None:
    case = CASES[name]
    expected = outputs_and_gradients(in_float64(field_for(case, TorchBackend())), case)
    found = interpreted["fields"][name]
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key].shape == value.shape
        bar = VALUE if key in ("sdf", "others") else DIFFERENCE
        if case.activation == "relu" and case.kinks and key not in NAMES:
            bar = 0.1  # a slope that jumps between two taps counts for one of them or for the other
        assert error(found[key], value) < bar, key


@pytest.mark.parametrize("name", ["flat, tiny step", "flat, tiny step, two layers"])
def test_a_laplacian_of_tiny_steps_is_better_than_that_of_float32_values(interpreted, name: str) -> None:
    """At h = 1/1024 the taps' values agree in most of their digits; differences that are formed as such do not."""
    case = CASES[name]
    field = field_for(case, TorchBackend())
    truth = outputs_and_gradients(in_float64(field), case)["laplacian"]
    by_values = error(outputs_and_gradients(field, case)["laplacian"], truth)
    assert error(interpreted["fields"][name]["laplacian"], truth) < min(DIFFERENCE, by_values / 4)


def test_locked_levels_get_no_gradient(interpreted) -> None:
    case = CASES["one faded level"]
    offsets = field_for(case, TorchBackend()).spec.grid.offsets
    assert (interpreted["fields"]["one faded level"]["to table"][offsets[case.levels] :] == 0).all()


@pytest.mark.parametrize("name", LOSS_CASES)
def test_the_fused_losses_agree_with_the_reference(interpreted, name: str) -> None:
    expected = losses_and_gradients(LOSS_CASES[name], reference, torch.float64)
    for key, value in expected.items():
        found = interpreted["losses"][name][key].double().reshape(value.shape)
        torch.testing.assert_close(found, value, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", STEP_CASES)
def test_a_fused_step_has_the_terms_and_gradients_of_the_trainer(interpreted, name: str) -> None:
    expected = terms_and_gradients(in_float64(step_field(TorchBackend())), STEP_CASES[name], False)
    for key, value in expected.items():
        assert error(interpreted["steps"][name][key], value) < DIFFERENCE, key


@pytest.mark.parametrize("decays", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_adam_agrees_with_the_reference(interpreted, size: int, decays: bool) -> None:
    expected = adam_steps(size, adam_update, torch.float64, decays=decays)
    for found, value in zip(interpreted["adam"][size, decays], expected, strict=True):
        torch.testing.assert_close(found.double(), value, rtol=2e-5, atol=1e-6)
    assert torch.equal(interpreted["adam"][size, decays][0][::3], start_of(size)[::3])
