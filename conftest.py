"""Wires the plugins that give tests their models and that report what was measured."""

pytest_plugins = [
    "geometric_invariants.fixtures.plugin",
    "geometric_invariants.reports.plugin",
    "geometric_invariants.geometry.benchmarks.shares",
]
