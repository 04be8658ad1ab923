"""Programs and hosts that the contract tests share."""
