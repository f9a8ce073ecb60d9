"""What decides: bundle, inspector, verdict, heat, releases. No torch, scikit-learn or mlflow."""
