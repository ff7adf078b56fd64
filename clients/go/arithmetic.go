package clockbound

import (
	"math/bits"
	"time"
)

const (
	maxNs = 1<<63 - 1
	minNs = -1 << 63
	// The time by which a record can be ahead of the clock without an error, ns.
	causalityToleranceNs = 1_000
)

// add returns a + b, saturated at the limits of 64 bits.
func add(a, b int64) int64 {
	sum := a + b
	if (sum > a) == (b > 0) {
		return sum
	}
	if b > 0 {
		return maxNs
	}
	return minNs
}

// sub returns a - b, saturated at the limits of 64 bits.
func sub(a, b int64) int64 {
	difference := a - b
	if (difference < a) == (b > 0) {
		return difference
	}
	if b > 0 {
		return minNs
	}
	return maxNs
}

// magnitude returns the absolute value.
func magnitude(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

// scaled returns ns times factor times 2^-32, rounded down. The factor has at most 33 bits with its
// sign.
func scaled(ns, factor int64) int64 {
	high, low := bits.Mul64(magnitude(ns), magnitude(factor))
	whole := int64(high<<32 | low>>32)
	if (ns < 0) == (factor < 0) {
		return whole
	}
	if uint32(low) != 0 {
		return -whole - 1
	}
	return -whole
}

// unscaled returns ns divided by 1 + factor times 2^-32, rounded down and rounded up, saturated at
// the limits of 64 bits.
func unscaled(ns int64, factor int32) (down, up int64) {
	divisor := uint64(1<<32 + int64(factor))
	high, low := magnitude(ns)>>32, magnitude(ns)<<32
	inner, outer := int64(maxNs), int64(maxNs)
	// The divisor is at least 2^31, and high is at most that.
	if high < divisor {
		if quotient, remainder := bits.Div64(high, low, divisor); quotient < maxNs {
			inner, outer = int64(quotient), int64(quotient)
			if remainder != 0 {
				outer++
			}
		}
	}
	switch {
	case ns >= 0:
		return inner, outer
	case outer == maxNs:
		return minNs, -inner
	}
	return -outer, -inner
}

// unixNs returns t in ns of UTC since 1970, saturated at the limits of 64 bits, which are in the
// years 1677 and 2262.
func unixNs(t time.Time) int64 {
	seconds := t.Unix()
	switch {
	case seconds > maxNs/nsPerS:
		return maxNs
	case seconds < minNs/nsPerS-1:
		return minNs
	}
	// The seconds are rounded down, and the remainder is not negative. With one second more, the
	// product is in range in the second that contains the lower limit, too.
	if seconds < 0 {
		return add((seconds+1)*nsPerS, int64(t.Nanosecond())-nsPerS)
	}
	return add(seconds*nsPerS, int64(t.Nanosecond()))
}

// growth returns the growth in elapsedNs at a rate of ppb, ns, rounded up. elapsedNs is not
// negative, and ppb is less than 10^9.
func growth(elapsedNs int64, ppb uint32) int64 {
	high, low := bits.Mul64(uint64(elapsedNs), uint64(ppb))
	low, carry := bits.Add64(low, 999_999_999, 0)
	quotient, _ := bits.Div64(high+carry, low, 1_000_000_000)
	return int64(quotient)
}
