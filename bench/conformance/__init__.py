"""Other simulators on the cases of ``eventsim conformance``; examples of adapters.

Each runs in an environment that has it and eventsim, from the repository's root. The results in
bench/results/conformance.jsonl are those of::

    eventsim conformance --backend all --precision both --out eventsim.json
    eventsim conformance --adapter bench.conformance.nest_adapter:ps --out nest.json
    eventsim conformance --adapter bench.conformance.nest_adapter:lossless --out lossless.json
    eventsim conformance --adapter bench.conformance.jaxsnn_adapter:double --out jaxsnn.json
    eventsim conformance --adapter bench.conformance.jaxsnn_adapter:single --out jaxsnn32.json
    eventsim conformance --adapter bench.conformance.brian2_adapter:step_0_1 --out brian2_1.json
    eventsim conformance --adapter bench.conformance.brian2_adapter:step_0_01 --out brian2_01.json
    python -m bench.conformance.table *.json
"""
