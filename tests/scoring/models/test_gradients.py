"""The gradients that fits go by, against differences of the log-likelihood."""

from dataclasses import astuple, replace

import numpy as np
import pytest

from services.scoring.models import bgbb, bgnbd, gammagamma, mbgnbd, paretonbd

WEEKS = np.array(
    [(0, 0, 38.86), (0, 0, 0), (1, 1.43, 38.86), (7, 29.43, 38.86), (26, 31, 31), (100, 36, 39)]
).T
OPPORTUNITIES = np.array([(0, 0, 6), (0, 0, 0), (1, 6, 6), (3, 5, 60), (40, 80, 120)]).T * 1.0
VALUES = np.array([(1, 0.01), (7, 73.74), (200, 1500)]).T

CASES = [
    (bgnbd, (0.2426, 4.4136, 0.7929, 2.4259), WEEKS),
    (bgnbd, (1.4, 1.4, 0.2, 280), WEEKS),
    (mbgnbd, (0.525, 6.183, 0.891, 1.614), WEEKS),
    (mbgnbd, (1.4, 1.4, 0.2, 280), WEEKS),
    (paretonbd, (0.553, 10.578, 0.606, 11.669), WEEKS),
    (paretonbd, (0.553, 11.669, 1.0, 10.578), WEEKS),
    (paretonbd, (2.5, 1.5, 20, 900), WEEKS),
    (bgbb, (1.204, 0.75, 0.657, 2.783), OPPORTUNITIES),
    (bgbb, (0.4, 9, 1.0, 20), OPPORTUNITIES),
    (gammagamma, (6.25, 3.74, 15.44), VALUES),
    (gammagamma, (0.3, 1.01, 1500), VALUES),
]


@pytest.mark.parametrize(("module", "values", "data"), CASES)
def test_gradient_is_that_of_the_likelihood(module, values, data):
    parameters = module.Parameters(*values)
    value, gradient = module.log_likelihood_and_gradient(parameters, *data)
    assert value == pytest.approx(parameters.log_likelihood(*data), rel=1e-12)
    names = parameters.__dataclass_fields__
    for index, (name, at) in enumerate(zip(names, astuple(parameters), strict=True)):
        step = at * 1e-5
        ahead = replace(parameters, **{name: at + step}).log_likelihood(*data)
        back = replace(parameters, **{name: at - step}).log_likelihood(*data)
        wanted = (ahead - back) / (2 * step)
        assert gradient[index] == pytest.approx(wanted, rel=1e-5, abs=1e-6), name
