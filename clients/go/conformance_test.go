package clockbound

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// golden is a case of clients/conformance/cases.json.
type golden struct {
	Name         string
	Segment      string
	Surroundings struct {
		RealtimeNs        int64  `json:"realtime_ns"`
		CoarseNs          int64  `json:"monotonic_coarse_ns"`
		RawNs             int64  `json:"monotonic_raw_ns"`
		BootID            string `json:"boot_id"`
		NamespaceOffsetNs int64  `json:"namespace_offset_ns"`
		// The marker of the VMClock page, if there is one.
		VMClockMarker *uint64 `json:"vmclock_marker"`
		// The counter of the processor, in cases with a v3 segment.
		Counter *uint64
	}
	// The instant of the interval, if it is not the present.
	AtRawNs      *int64 `json:"at_monotonic_raw_ns"`
	AtRealtimeNs *int64 `json:"at_realtime_ns"`
	Expect       result
	// Which of these times have certainly passed, and which are certainly in the future.
	Times []struct {
		Seconds, Nanoseconds int64
		IsAfter              bool `json:"is_after"`
		IsBefore             bool `json:"is_before"`
	}
	Record     *recordResult
	Disruption *disruptionResult
	// Whether the client refuses simulated records, and whether the record is one.
	RefuseSimulated bool  `json:"refuse_simulated"`
	IsSimulated     *bool `json:"is_simulated"`
}

type result struct {
	EarliestNs int64 `json:"earliest_ns"`
	LatestNs   int64 `json:"latest_ns"`
	Status     string
	Reason     string
	Error      string
}

type recordResult struct {
	Layout       string
	AgeNs        int64 `json:"age_ns"`
	Leap         *Leap
	Source       *uint32
	ValidSinceNs *int64 `json:"valid_since_ns"`
}

type disruptionResult struct {
	Supported  bool
	Marker     *uint64
	Soon       bool
	Imminent   bool
	TAIOffsetS *int16 `json:"tai_offset_s"`
}

func TestEveryGoldenSegmentReadsAsExpected(t *testing.T) {
	directory := filepath.Join("..", "conformance")
	text, err := os.ReadFile(filepath.Join(directory, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 50 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			path := filepath.Join(directory, "segments", c.Segment)
			if c.Surroundings.Counter != nil && isFile(t, path) {
				// The library does not read the layout v3.
				c.Expect, c.Record, c.Disruption = result{Error: "version"}, nil, nil
				c.IsSimulated = nil
			}
			s, err := openPreferred(path, c.environment(t))
			interval, err := c.read(s, err)
			if got := resultOf(interval, err); got != c.Expect {
				t.Errorf("%+v, not %+v", got, c.Expect)
			}
			for _, c := range c.Times {
				time := time.Unix(c.Seconds, c.Nanoseconds)
				if interval.IsAfter(time) != c.IsAfter || interval.IsBefore(time) != c.IsBefore {
					t.Errorf("%v: %+v", interval, c)
				}
			}
			if c.Record != nil {
				c.Record.check(t, s)
			}
			if c.Disruption != nil {
				c.Disruption.check(t, s)
			}
			if c.IsSimulated != nil {
				if details, _, err := s.details(); err != nil ||
					details.IsSimulated != *c.IsSimulated {
					t.Error(details, err)
				}
			}
		})
	}
}

func isFile(t *testing.T, path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().IsRegular()
}

func (c *golden) environment(t *testing.T) environment {
	path := filepath.Join(t.TempDir(), "vmclock")
	if marker := c.Surroundings.VMClockMarker; marker != nil {
		publish(t, path, pageBytes(*marker))
	}
	return environment{
		vmclock:           openVMClock(path),
		refuseSimulated:   c.RefuseSimulated,
		bootID:            parseBootID(c.Surroundings.BootID),
		namespaceOffsetNs: c.Surroundings.NamespaceOffsetNs,
		clockNs: func(id clock) (int64, error) {
			return map[clock]int64{
				clockRealtime:        c.Surroundings.RealtimeNs,
				clockMonotonicCoarse: c.Surroundings.CoarseNs,
				clockMonotonicRaw:    c.Surroundings.RawNs,
			}[id], nil
		},
	}
}

func (c *golden) read(s *segment, err error) (interval Interval, _ error) {
	switch {
	case err != nil:
	case c.AtRawNs != nil:
		interval, _, err = s.intervalAt(*c.AtRawNs)
	case c.AtRealtimeNs != nil:
		interval, _, err = s.intervalAtRealtime(*c.AtRealtimeNs)
	default:
		interval, _, err = s.now()
	}
	return interval, err
}

func resultOf(interval Interval, err error) result {
	if err != nil {
		return result{Error: errorKind(err)}
	}
	return result{
		EarliestNs: interval.EarliestNs,
		LatestNs:   interval.LatestNs,
		Status:     interval.Status.String(),
		Reason:     interval.Reason.String(),
	}
}

func (r *recordResult) check(t *testing.T, s *segment) {
	details, _, err := s.details()
	if err != nil {
		t.Fatal(err)
	}
	if details.Layout.String() != r.Layout || int64(details.Age) != r.AgeNs {
		t.Error(details)
	}
	// What the layout does not have is null.
	leap, source := LeapUntold, uint32(0)
	if r.Leap != nil {
		leap = *r.Leap
	}
	if r.Source != nil {
		source = *r.Source
	}
	if details.Leap != leap || details.Source != source {
		t.Error(details)
	}
	if (r.ValidSinceNs == nil) != (details.ValidSinceNs == 0) ||
		(r.ValidSinceNs != nil && details.ValidSinceNs != *r.ValidSinceNs) {
		t.Error("valid since", details.ValidSinceNs)
	}
}

func (d *disruptionResult) check(t *testing.T, s *segment) {
	details, _, err := s.details()
	if err != nil {
		t.Fatal(err)
	}
	marker := uint64(0)
	if d.Marker != nil {
		marker = *d.Marker
	}
	if details.DisruptionSupported != d.Supported || details.DisruptionMarker != marker ||
		details.DisruptionSoon != d.Soon || details.DisruptionImminent != d.Imminent {
		t.Errorf("%+v", details)
	}
	if details.TAIOffsetKnown != (d.TAIOffsetS != nil) || (d.TAIOffsetS != nil &&
		details.TAIOffset != time.Duration(*d.TAIOffsetS)*time.Second) {
		t.Error("TAI offset", details.TAIOffset)
	}
}

func errorKind(err error) string {
	for kind, name := range map[error]string{
		ErrNotInitialized: "not_initialized",
		ErrMalformed:      "malformed",
		ErrVersion:        "version",
		ErrCausality:      "causality",
		ErrNotKnown:       "not_known",
		ErrVMClock:        "vmclock",
		ErrSimulated:      "simulated",
	} {
		if errors.Is(err, kind) {
			return name
		}
	}
	return err.Error()
}
