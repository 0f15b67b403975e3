package client

import (
	"fmt"
	"strings"
	"time"
)

// IntegrityError is a failure to get the content that is asked for: no server
// offers it, or the servers disagree and have no majority.
type IntegrityError struct{ Reason string }

func (e *IntegrityError) Error() string { return e.Reason }

// NoServerError is returned when no server at all answered for Wait. Last is
// the latest failure to reach one; it may be nil.
type NoServerError struct {
	Wait time.Duration
	Last error
}

func (e *NoServerError) Error() string {
	text := "no server answered"
	if e.Wait > 0 {
		text += " within " + words(e.Wait)
	}
	if e.Last != nil {
		text += ": " + e.Last.Error()
	}
	return text
}

// words is a duration without the units that are 0 at its end.
func words(d time.Duration) string {
	text := d.String()
	for _, zeros := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zeros) {
			text = text[:len(text)-len("0s")]
		}
	}
	return text
}

func (e *NoServerError) Unwrap() error { return e.Last }

// RefusedError is returned when every server that answers refuses us or speaks
// something else.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// InterruptedError is returned when the context was cancelled before the file
// was complete. Path is the partial download that a later run resumes from; empty: this run has
// made none, but there may be an Earlier one.
type InterruptedError struct {
	Path    string
	Earlier bool
}

func (e *InterruptedError) Error() string {
	switch {
	case e.Path == "" && e.Earlier:
		return "interrupted before anything was downloaded; the partial download of an earlier run is as it was, -r goes on from there"
	case e.Path == "":
		return "interrupted before anything was downloaded; -r has nothing to go on from yet"
	}
	return fmt.Sprintf("interrupted; the state is saved in %s, -r goes on from there", e.Path)
}
