"""The 80 places where the two source documents strain or contradict, and the rule family that has to reach each."""

REACHED_BY = {
    "R01": "monthly-adds-vs-six-month-base first-year-vs-six-months acquisition-window",
    "R02": "churn-ceiling mau-vs-retention-and-waking waking-reaches-fifty-not-sixty",
    "R03": "mau-fifty-or-sixty segmentation-deadlines conversion-path-months gmv-share-path ltv-targets",
    "R04": "funnel-order tag-quality-product open-rate-vs-participation timeliness-hundred consent-vs-tag-coverage"
    " influence-threshold-vs-engagement",
    "R05": "retention-vs-churn new-share-vs-loyalty cart-vs-conversion",
    "R06": "team-fifty-vs-listed",
    "R07": "users-per-operator-capacity round-the-clock-seat thirty-second-response communities-per-operator"
    " complaints-vs-legal fission-peak-vs-service analyst-load",
    "R08": "band-corners ai-share-vs-tech-band core-incentive-vs-bands",
    "R09": "cac-volume-vs-marketing-share implied-labour-per-head implied-tech-budget cac-mix",
    "R10": "labour-share-vs-gmv-cap budget-share-vs-gmv-share",
    "R11": "data-platform-deadline foundation-stage-length conversion-before-tools roi-before-everything",
    "R12": "cohorts-not-mature reallocation-points annual-gmv-share-vs-calendar",
    "R13": "cac-cap-vs-inflation market-forecast activity-trend-vs-goal",
    "R14": "conversion-before-or-after-speed churn-warning-limits",
    "R15": "tech-share-later-years ltv-goal-below-benchmarks scale-vs-order-value industry-conversion",
    "R16": "relative-or-points cac-of-a-contact-vs-ltv nps-percent csat-scales fit-slope",
    "R17": "push-pressure-without-cap rfm-thresholds-absent dated-goals-without-levels missing-parameters",
    "R18": "availability-vs-restore",
    "R19": "twelve-nodes-on-time",
    "R20": "segment-counts value-scores stage-vocabularies departments potential-user-meanings",
    "R21": "test-power-vs-traffic dynamic-segments-vs-tests",
    "R22": "repurchase-references activity-baselines efficiency-measures roi-definition-and-level"
    " conversion-denominators ai-coverage-denominators open-rate-source market-size-scopes",
    "R23": "cadence",
}
RULE_OF = {entry: rule for rule, entries in REACHED_BY.items() for entry in entries.split()}
