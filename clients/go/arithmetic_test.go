package clockbound

import (
	"math/big"
	"testing"
	"testing/quick"
)

func TestAddAndSubSaturate(t *testing.T) {
	for _, c := range []struct{ a, b, sum, difference int64 }{
		{1, 2, 3, -1},
		{-1, -2, -3, 1},
		{maxNs, 1, maxNs, maxNs - 1},
		{minNs, -1, minNs, minNs + 1},
		{maxNs, -1, maxNs - 1, maxNs},
		{minNs, 1, minNs + 1, minNs},
		{5, 0, 5, 5},
		{0, minNs, minNs, maxNs},
	} {
		if add(c.a, c.b) != c.sum || sub(c.a, c.b) != c.difference {
			t.Error(c, add(c.a, c.b), sub(c.a, c.b))
		}
	}
}

func TestUnscaledIsTheQuotientRoundedOutward(t *testing.T) {
	isExact := func(ns int64, factor int32) bool {
		down, up := unscaled(ns, factor)
		numerator := new(big.Int).Lsh(big.NewInt(ns), 32)
		divisor := big.NewInt(1<<32 + int64(factor))
		// The Euclidean quotient of a positive divisor is rounded down.
		quotient, remainder := new(big.Int).DivMod(numerator, divisor, new(big.Int))
		above := new(big.Int).Set(quotient)
		if remainder.Sign() != 0 {
			above.Add(above, big.NewInt(1))
		}
		return saturated(quotient) == down && (saturated(above) == up || saturated(above) == minNs)
	}
	for _, ns := range []int64{0, 1, -1, nsPerS, -nsPerS, maxNs, minNs, maxNs / 2, minNs / 2} {
		for _, factor := range []int32{0, 1, -1, 429_497, -429_497, 1<<31 - 1, -1 << 31} {
			if !isExact(ns, factor) {
				t.Error(ns, factor)
			}
		}
	}
	if err := quick.Check(isExact, nil); err != nil {
		t.Error(err)
	}
}

func saturated(number *big.Int) int64 {
	switch {
	case number.IsInt64():
		return number.Int64()
	case number.Sign() < 0:
		return minNs
	}
	return maxNs
}
