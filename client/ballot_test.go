package client

import (
	"errors"
	"strings"
	"testing"
	"time"

	"braid/segment"
)

func TestBallot(t *testing.T) {
	a, b, c := key{segment.Root{1}, 10}, key{segment.Root{2}, 10}, key{segment.Root{1}, 11}
	start := time.Unix(1e9, 0)
	// What a server says, or that it fails; by number from 0, in order.
	type said struct {
		server int
		key    *key
	}
	votes := func(s int, k key) said { return said{s, &k} }
	fails := func(s int) said { return said{s, nil} }
	for _, test := range []struct {
		name    string
		servers int
		want    *segment.Root
		said    []said
		after   time.Duration
		chosen  *key
		err     string // a part of it
	}{
		{name: "nothing yet", servers: 3},
		{name: "nothing for long", servers: 3, after: time.Hour},
		{name: "all fail", servers: 2, said: []said{fails(0), fails(1)}},
		{name: "one of one", servers: 1, said: []said{votes(0, a)}, chosen: &a},
		{name: "one of two", servers: 2, said: []said{votes(0, a)}},
		{name: "one of two, late", servers: 2, said: []said{votes(0, a)}, after: time.Second, chosen: &a},
		{name: "one of two, not quite late", servers: 2, said: []said{votes(0, a)}, after: time.Second - 1},
		{name: "one of two, the other fails", servers: 2, said: []said{votes(0, a), fails(1)}, chosen: &a},
		{name: "majority", servers: 5, said: []said{votes(0, a), votes(1, b), votes(2, a), votes(3, a)}, chosen: &a},
		{name: "majority against the first", servers: 3, said: []said{votes(0, b), votes(1, a), votes(2, a)}, chosen: &a},
		{name: "half is none", servers: 4, said: []said{votes(0, a), votes(1, a)}},
		{name: "plurality when all have spoken", servers: 4, said: []said{votes(0, a), votes(1, a), votes(2, b), fails(3)}, chosen: &a},
		{name: "plurality, late", servers: 9, said: []said{votes(0, a), votes(1, a), votes(2, b)}, after: time.Second, chosen: &a},
		{name: "tie", servers: 2, said: []said{votes(0, a), votes(1, b)}, err: "no majority"},
		{name: "tie with failures", servers: 3, said: []said{votes(0, a), votes(1, b), fails(2)}, err: "no majority"},
		{name: "tie that somebody may break", servers: 3, said: []said{votes(0, a), votes(1, b)}, after: time.Hour},
		{name: "the size counts", servers: 2, said: []said{votes(0, a), votes(1, c)}, err: "server 2: " + c.root.String() + " (11 bytes)"},
		{name: "a server that votes twice", servers: 3, said: []said{votes(0, b), votes(0, a), votes(1, a)}, chosen: &a},
		{name: "what was said before a failure counts", servers: 3, said: []said{votes(0, a), fails(0), votes(1, a)}, chosen: &a},
		{name: "a failure that is overcome", servers: 2, said: []said{fails(0), votes(0, a)}},
		{name: "wanted", servers: 3, want: &a.root, said: []said{votes(0, b), votes(1, b), votes(2, a)}, chosen: &a},
		{name: "wanted, not there yet", servers: 3, want: &a.root, said: []said{votes(0, b), votes(1, b)}, after: time.Hour},
		{name: "wanted, nobody has it", servers: 2, want: &a.root, said: []said{votes(0, b), fails(1)}, err: "no server offers the content with BLAKE3 " + a.root.String()},
		{name: "wanted, nobody answers", servers: 2, want: &a.root, said: []said{fails(0), fails(1)}},
		{name: "wanted, two sizes claimed", servers: 2, want: &a.root, said: []said{votes(0, a), votes(1, c)}, chosen: &a},
		{name: "wanted, one of two is enough", servers: 2, want: &a.root, said: []said{votes(1, a)}, chosen: &a},
	} {
		t.Run(test.name, func(t *testing.T) {
			ballot := newBallot(test.servers, test.want)
			for _, s := range test.said {
				if s.key == nil {
					ballot.fail(s.server)
				} else {
					ballot.vote(s.server, *s.key, start)
				}
			}
			got, ok, err := ballot.decide(start.Add(test.after))
			if ok != (test.chosen != nil) || ok && got != *test.chosen {
				t.Errorf("chose %v, %v", got, ok)
			}
			var integrity *IntegrityError
			switch {
			case test.err == "" && err != nil:
				t.Error(err)
			case test.err != "" && (!errors.As(err, &integrity) || !strings.Contains(err.Error(), test.err)):
				t.Errorf("got %v, want an IntegrityError that says %q", err, test.err)
			}
		})
	}
}
