"""Around the app: connections, the processes of `bentoml serve`, refusals at the gate, logs."""
