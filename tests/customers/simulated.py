"""Customers drawn from the models themselves, event by event."""

import numpy as np


def bgnbd_customers(n, r, alpha, a, b, age, rng, *, ahead=0.0):
    """Return x, t_x, T and purchases in (T, T + ahead] of n customers who may leave after each repeat purchase."""
    rate, leave = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    age = np.broadcast_to(np.asarray(age, dtype=float), n)
    x, last, later, now, here = *np.zeros((4, n)), np.arange(n)
    while len(here):
        now[here] += rng.exponential(1 / rate[here])
        here = here[now[here] <= age[here] + ahead]
        seen = now[here] <= age[here]
        x[here] += seen
        last[here] = np.where(seen, now[here], last[here])
        later[here] += ~seen
        here = here[rng.random(len(here)) >= leave[here]]
    return x, last, age.copy(), later


def pareto_customers(n, r, alpha, s, beta, age, rng):
    """Return x, t_x, T of n customers who buy at a rate of their own until a moment of their own."""
    rate = rng.gamma(r, 1 / alpha, n)
    end = np.minimum(rng.exponential(1 / rng.gamma(s, 1 / beta, n)), age)
    x = rng.poisson(rate * end).astype(float)
    last = np.where(x > 0, end * rng.random(n) ** (1 / np.maximum(x, 1)), 0.0)  # the latest of x uniform moments
    return x, last, np.full(n, float(age))


def order_values(x, p, q, v, rng):
    """Return mean order values of customers with x repeat purchases: gamma around a mean of each customer's own."""
    own = rng.gamma(q, 1 / v, len(x))
    some = np.maximum(x, 1)
    return np.where(x > 0, rng.gamma(p * some, 1 / (own * some)), 0.0)
