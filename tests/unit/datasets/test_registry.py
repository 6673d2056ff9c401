import numpy as np

from eventsim import datasets


def test_every_data_set_describes_itself():
    assert set(datasets.DATASETS) >= {
        "spoken_digits", "fsdd", "ntidigits", "shd", "ssc", "nmnist", "yinyang"
    }  # fmt: skip
    for name, info in datasets.DATASETS.items():
        assert info.name == name
        assert info.channels >= 5
        assert len(set(info.classes)) == len(info.classes) >= 2
        assert {"train", "test"} <= set(info.parts)
        assert all((info.description, info.splits, info.obtain, info.licence, info.samples))


def test_data_set_is_taken_apart_and_selected(wavs):
    data = datasets.load("fsdd", split="train", root=wavs)
    stream, labels, class_names = data
    assert stream is data.stream
    assert labels is data.labels
    assert class_names is data.class_names == data.info.classes
    part = data.subset([5, 0])
    assert part.keys.tolist() == data.keys[[5, 0]].tolist()
    assert part.groups.tolist() == data.groups[[5, 0]].tolist()
    np.testing.assert_array_equal(part.stream.sample(0)[0], data.stream.sample(5)[0])


def test_stored_data_set_is_read_sample_by_sample(wavs):
    memory = datasets.load("fsdd", split="test", root=wavs)
    stored = datasets.stored("fsdd", split="test", root=wavs)
    np.testing.assert_array_equal(stored.labels, memory.labels)
    part = stored.subset(slice(2, 5)).read([1])
    np.testing.assert_array_equal(part.stream.times, memory.stream.sample(3)[0])
    assert part.keys.tolist() == [memory.keys[3]]
    assert (part.split, part.info, part.class_names) == ("test", memory.info, memory.class_names)
    assert next(iter(stored)) is stored.stream
