package client

import (
	"errors"
	"testing"
	"time"
)

func TestErrorTexts(t *testing.T) {
	last := errors.New("connection refused")
	for _, test := range []struct {
		err  error
		want string
	}{
		{&IntegrityError{Reason: "no majority"}, "no majority"},
		{&RefusedError{Reason: "wrong key"}, "wrong key"},
		{&NoServerError{Wait: 2 * time.Second, Last: last}, "no server answered within 2s: connection refused"},
		{&NoServerError{}, "no server answered"},
		{&InterruptedError{}, "interrupted before anything was downloaded; -r has nothing to go on from yet"},
		{&InterruptedError{Path: "x.part"}, "interrupted; the state is saved in x.part, -r goes on from there"},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
	if !errors.Is(&NoServerError{Last: last}, last) {
		t.Error("the last failure is lost")
	}
}
