import pytest

import eventsim as es
from tests.unit.mapping.helpers import make_chip, random_net, random_stream


@pytest.fixture
def net():
    return random_net()


@pytest.fixture
def tape(net):
    return es.simulate(net, random_stream())


@pytest.fixture
def chip():
    return make_chip(neurons_per_core=8)
