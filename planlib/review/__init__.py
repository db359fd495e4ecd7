"""Plan against actual: scorecard, pace, variance, alarms, service, risks, compliance, actions."""
