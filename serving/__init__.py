"""The inspection service. Its libraries are silenced before the first of them is imported."""

from inspection.telemetry import telemetry_off

telemetry_off()
