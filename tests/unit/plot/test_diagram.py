import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

import eventsim as es
from eventsim.plot.layout import lay_out


def texts_of(axes):
    return [text.get_text() for text in axes.texts]


def test_every_population_is_a_box_and_every_projection_an_arrow():
    net = es.scsr(7, (5, 4), 3)

    axes = es.plot.graph(net)

    boxes = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    assert len(boxes) == 4
    assert len(arrows) == len(net.projections) == 8
    written = texts_of(axes)
    for text in ("input", "7 channels", "hidden1", "5 neurons", "output", "3 readouts"):
        assert text in written
    assert sorted(written[:8]) == sorted(["35", "28", "21", "20", "15", "12", "self, 5", "self, 4"])


def test_delays_stand_beside_their_arrows():
    net = es.Network()
    net.add_input("input", 2)
    net.add_population("hidden", 3)
    net.add_readout("output", 1)
    net.connect("input", "hidden", np.ones((2, 3)), delays=[0.0, 150.0])
    net.connect("hidden", "output", np.ones((3, 1)), delays=1.5)

    axes = es.plot.graph(net)

    assert {"0–150 ms", "1.5 ms", "1 readout"} <= set(texts_of(axes))
    assert axes.get_xlabel() == "at arrows: synapses, delays"


def test_an_arrow_has_the_synapses_of_all_receptors():
    net = es.Network()
    net.add_input("input", 2)
    neuron = es.LIF(tau_mem=20.0, tau_syn={"fast": 2.0, "slow": 9.0})
    net.add_population("hidden", 3, neuron=neuron)
    net.connect("input", "hidden", np.ones((2, 3)), receptor="fast")
    net.connect("input", "hidden", np.ones((2, 3)), receptor="slow", delays=2.0)

    written = texts_of(es.plot.graph(net))

    assert {"12", "0.0–2.0 ms"} <= set(written)


def test_picture_widens_with_names():
    def width(name):
        net = es.Network()
        net.add_input("input", 1)
        for k in range(5):
            net.add_population(f"{name}{k}", 1)
            net.connect("input" if k == 0 else f"{name}{k - 1}", f"{name}{k}", [[1.0]])
        return es.plot.graph(net).figure.get_figwidth()

    assert width("p") < width("population number ") == width("population of the number ") == 12.0


def test_decision_is_a_box_of_its_own():
    net = es.scsr(4, (3,), 2)
    net.decide("output", np.ones((2, 5)))

    assert {"decision", "5 classes"} <= set(texts_of(es.plot.graph(net)))


def test_columns_are_longest_ways():
    names = ["in", "a", "b", "out"]
    layout = lay_out(names, [("in", "out"), ("in", "a"), ("a", "b"), ("b", "out"), ("a", "out")])

    assert {name: place[0] for name, place in layout.boxes.items()} == {
        "in": 0.0,
        "a": 1.0,
        "b": 2.0,
        "out": 3.0,
    }
    heights = {edge: arrow.label[1] for edge, arrow in layout.arrows.items()}
    assert heights["in", "out"] > heights["a", "out"] > heights["a", "b"] == 0.0


def test_populations_of_a_loop_share_a_column():
    edges = [("in", "e"), ("in", "i"), ("e", "i"), ("i", "e"), ("e", "e"), ("e", "out"), ("i", "i")]
    layout = lay_out(["in", "e", "i", "out"], edges)

    columns = {name: place[0] for name, place in layout.boxes.items()}
    assert columns == {"in": 0.0, "e": 1.0, "i": 1.0, "out": 2.0}
    assert layout.boxes["e"][1] > layout.boxes["i"][1]
    # The two arrows between them lie apart; the bows onto themselves point away from each other.
    assert layout.arrows["e", "i"].label[0] > layout.arrows["i", "e"].label[0]
    assert layout.arrows["e", "e"].label[1] > layout.boxes["e"][1]
    assert layout.arrows["i", "i"].label[1] < layout.boxes["i"][1]


def test_boxes_never_touch_and_bows_pass_above_them():
    edges = [
        ("in", "a"),
        ("a", "b"),
        ("b", "c"),
        ("c", "a"),
        ("b", "b"),
        ("in", "out"),
        ("c", "out"),
    ]
    layout = lay_out(["in", "a", "b", "c", "out"], edges)

    places = list(layout.boxes.values())
    for k, (x, y) in enumerate(places):
        assert all(abs(x - u) >= 1.0 or abs(y - v) >= 1.0 for u, v in places[:k])
    assert layout.arrows["in", "out"].label[1] > layout.boxes["a"][1] + 0.2
