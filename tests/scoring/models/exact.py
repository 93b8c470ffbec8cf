"""The models once more, as their papers write them, in as many digits as it takes (mpmath).

Nothing here is shared with the code under test: closed forms with hypergeometric functions, sums
term by term. Where a formula divides by a - 1 or s - 1, that is moved off zero by 1e-40.
"""

from mpmath import beta, binomial, exp, gamma, hyp2f1, log, loggamma, mp, mpf, nsum, quad

DIGITS = 120


def _off_one(value):
    return value + mpf(10) ** -40 if value == 1 else value


class Exact:
    """One customer: x, t_x and T, and t ahead."""

    def __init__(self, *, x, t_x, age, horizon, **parameters):
        mp.dps = DIGITS
        self.x, self.t_x, self.age, self.t = (mpf(v) for v in (x, t_x, age, horizon))
        for name, value in parameters.items():
            setattr(self, name, mpf(value))

    def log_likelihood(self):
        return log(self.likelihood(self.age))

    def p_alive(self):
        return self.alive(self.age) / self.likelihood(self.age)

    def p_none(self):
        return self.likelihood(self.age + self.t) / self.likelihood(self.age)

    def p_some(self):
        return 1 - self.p_none()


class BgNbd(Exact):
    """Fader, Hardie & Lee 2005: equations 6 and 10."""

    extra = 0

    def alive(self, age):
        survived = self.x + self.extra
        n = self.r + self.x
        both = beta(self.a, self.b + survived) / beta(self.a, self.b)
        rate = exp(loggamma(n) - loggamma(self.r)) * self.alpha**self.r
        return both * rate * (self.alpha + age) ** -n

    def gone(self):
        if self.x == 0 and not self.extra:
            return mpf(0)
        n = self.r + self.x
        both = beta(self.a + 1, self.b + self.x + self.extra - 1) / beta(self.a, self.b)
        rate = exp(loggamma(n) - loggamma(self.r)) * self.alpha**self.r
        return both * rate * (self.alpha + self.t_x) ** -n

    def likelihood(self, age):
        return self.alive(age) + self.gone()

    def expected(self):
        a, n = _off_one(self.a), self.r + self.x
        survived, c = self.b + self.x + self.extra, self.alpha + self.age
        whole = a + survived - 1
        series = hyp2f1(n, survived, whole, self.t / (c + self.t))
        if_alive = whole / (a - 1) * (1 - (c / (c + self.t)) ** n * series)
        return if_alive * self.p_alive()

    def exactly(self, k):
        """Exactly k > 0 purchases ahead: alive after them, or gone with the last."""
        n, c, survived = self.r + self.x, self.alpha + self.age, self.b + self.x + self.extra
        stay, z = c / (c + self.t), self.t / (c + self.t)

        def counted(j):
            return gamma(n + j) / gamma(n) / gamma(j + 1) * stay**n * z**j

        still = beta(self.a, survived + k) / beta(self.a, survived) * counted(k)
        left = beta(self.a + 1, survived + k - 1) / beta(self.a, survived)
        return (still + left * (1 - sum(counted(j) for j in range(k)))) * self.p_alive()


class MbgNbd(BgNbd):
    """Batislam, Denizel & Filiztekin 2007: one more chance to leave, at the first purchase."""

    extra = 1


class ParetoNbd(Exact):
    """Fader & Hardie 2005, with the integral over the time of leaving as hypergeometric functions."""

    def _rate(self):
        n = self.r + self.x
        rate = exp(loggamma(n) - loggamma(self.r))
        return rate * self.alpha**self.r * self.beta**self.s

    def alive(self, age):
        n = self.r + self.x
        return self._rate() * (self.alpha + age) ** -n * (self.beta + age) ** -self.s

    def _after(self, y):
        """Integral of s (alpha + u)^-(r + x) (beta + u)^-(s + 1) du from y to infinity."""
        n, power = self.r + self.x, self.r + self.x + self.s
        if self.alpha >= self.beta:
            second, high, low = self.s + 1, self.alpha, self.beta
        else:
            second, high, low = n, self.beta, self.alpha
        series = hyp2f1(power, second, power + 1, (high - low) / (high + y))
        return self.s / power * series / (high + y) ** power

    def likelihood(self, age):
        left = self._after(self.t_x) - self._after(age)
        return self.alive(age) + self._rate() * left

    def expected(self):
        n, s, d = self.r + self.x, _off_one(self.s), self.beta + self.age
        weeks = d / (s - 1) * (1 - (d / (d + self.t)) ** (s - 1))
        return n / (self.alpha + self.age) * weeks * self.p_alive()

    def exactly(self, k):
        """Exactly k > 0 purchases ahead, by quadrature over the time of leaving."""
        mp.dps = 30
        n, c, d = self.r + self.x, self.alpha + self.age, self.beta + self.age

        def counted(y):
            return binomial(n + k - 1, k) * (c / (c + y)) ** n * (y / (c + y)) ** k

        def density(y):
            return counted(y) * self.s / d * (d / (d + y)) ** (self.s + 1)

        left = quad(density, [self.t * i / 16 for i in range(17)])
        stayed = counted(self.t) * (d / (d + self.t)) ** self.s
        return (left + stayed) * self.p_alive()


class BgBb(Exact):
    """Fader, Hardie & Shang 2010: equations 7 and 13, term by term."""

    def alive(self, age):
        bought = beta(self.alpha + self.x, self.beta + age - self.x) / beta(self.alpha, self.beta)
        return bought * beta(self.gamma, self.delta + age) / beta(self.gamma, self.delta)

    def likelihood(self, age):
        """The sum is carried on by the ratio of one term to the next."""
        m = self.t_x
        term = beta(self.alpha + self.x, self.beta + m - self.x) / beta(self.alpha, self.beta)
        term *= beta(self.gamma + 1, self.delta + m) / beta(self.gamma, self.delta)
        total = self.alive(age)
        while m < age:
            total += term
            term *= (self.beta + m - self.x) / (self.alpha + self.beta + m)
            term *= (self.delta + m) / (self.gamma + self.delta + 1 + m)
            m += 1
        return total

    def expected(self):
        a, b, n = self.alpha, self.beta, self.age
        taken = beta(a + self.x + 1, b + n - self.x) / beta(a, b)
        stayed = nsum(
            lambda j: beta(self.gamma, self.delta + n + j) / beta(self.gamma, self.delta),
            [1, int(self.t)],
        )
        return taken * stayed / self.likelihood(n)

    def exactly(self, k):
        """Exactly k > 0 of the opportunities ahead."""
        a, b, n, x, t = self.alpha, self.beta, self.age, self.x, int(self.t)

        def ways(i):
            return binomial(i, k) * beta(a + x + k, b + n - x + i - k) / beta(a, b)

        total = ways(t) * beta(self.gamma, self.delta + n + t)
        total += sum(ways(i) * beta(self.gamma + 1, self.delta + n + i) for i in range(k, t))
        return total / beta(self.gamma, self.delta) / self.likelihood(n)


def gamma_gamma(*, p, q, v, x, mean):
    """Log-likelihood and expected value."""
    mp.dps = DIGITS
    p, q, v, x, mean = (mpf(value) for value in (p, q, v, x, mean))
    density = loggamma(p * x + q) - loggamma(p * x) - loggamma(q) + q * log(v)
    density += (p * x - 1) * log(mean) + p * x * log(x) - (p * x + q) * log(v + x * mean)
    return density, p * (v + x * mean) / (p * x + q - 1)


EXACT = {"bg_nbd": BgNbd, "mbg_nbd": MbgNbd, "pareto_nbd": ParetoNbd, "bg_bb": BgBb}
