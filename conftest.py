"""Wires the plugins that give tests their models and that report what was measured."""

pytest_plugins = ["fixtures.plugin", "reports.plugin", "geometry.benchmarks.shares"]
