"""A network as C on emulated boards."""
