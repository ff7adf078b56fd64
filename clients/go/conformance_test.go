package clockbound

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
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
	}
	Expect result
}

type result struct {
	EarliestNs int64 `json:"earliest_ns"`
	LatestNs   int64 `json:"latest_ns"`
	Status     string
	Reason     string
	Error      string
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
			if got := c.read(filepath.Join(directory, "segments", c.Segment)); got != c.Expect {
				t.Errorf("%+v, not %+v", got, c.Expect)
			}
		})
	}
}

func (c *golden) read(path string) result {
	s, err := openSegment(path, environment{
		bootID:            parseBootID(c.Surroundings.BootID),
		namespaceOffsetNs: c.Surroundings.NamespaceOffsetNs,
		clockNs: func(id clock) (int64, error) {
			return map[clock]int64{
				clockRealtime:        c.Surroundings.RealtimeNs,
				clockMonotonicCoarse: c.Surroundings.CoarseNs,
				clockMonotonicRaw:    c.Surroundings.RawNs,
			}[id], nil
		},
	})
	var now reading
	if err == nil {
		now, err = s.now()
	}
	if err != nil {
		return result{Error: errorKind(err)}
	}
	return result{
		EarliestNs: now.interval.EarliestNs,
		LatestNs:   now.interval.LatestNs,
		Status:     now.interval.Status.String(),
		Reason:     now.interval.Reason.String(),
	}
}

func errorKind(err error) string {
	for kind, name := range map[error]string{
		ErrNotInitialized: "not_initialized",
		ErrMalformed:      "malformed",
		ErrVersion:        "version",
		ErrCausality:      "causality",
	} {
		if errors.Is(err, kind) {
			return name
		}
	}
	return err.Error()
}
