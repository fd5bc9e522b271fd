"""The tests. What takes long is made quick before anything is imported by name."""

from tests.world.quick import install

install()
