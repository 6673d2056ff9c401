"""The protocol of a backend, for whoever writes one; ``register_backend`` makes it known."""

from eventsim.engine.contract.backend import AbstractHostBackend, Backend

__all__ = ["AbstractHostBackend", "Backend"]
