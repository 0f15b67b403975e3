package client

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"braid/segment"
)

// key names a content. The size belongs to it, because a liar may claim
// another one for the same root.
type key struct {
	root segment.Root
	size int64
}

// voteLimit is how long after the first answer the vote is decided even if
// some servers have said nothing.
const voteLimit = time.Second

// ballot decides which content to fetch: what the user or the partial download
// asks for (want), else what most of the servers have. It is pure.
//
// Where a root is wanted the first answer is taken at once: votes cannot make a root
// wrong, nor a size right. Of several sizes claimed for it one may be proven (proof.go).
type ballot struct {
	servers int
	want    *segment.Root // nil: whatever most of them have
	size    *int64        // of the partial download that want is from; nil: none
	proven  *key          // what want is, for sure; nil: not known yet
	votes   map[int]key   // by server; the latest counts
	failed  map[int]bool  // servers that could not be asked, so far
	first   time.Time     // of the first vote
}

func newBallot(servers int, want *segment.Root) *ballot {
	return &ballot{servers: servers, want: want, votes: map[int]key{}, failed: map[int]bool{}}
}

func (b *ballot) vote(server int, k key, now time.Time) {
	if len(b.votes) == 0 {
		b.first = now
	}
	b.votes[server] = k
	delete(b.failed, server)
}

// fail notes that a server could not be asked. What it said before counts on.
func (b *ballot) fail(server int) {
	if _, voted := b.votes[server]; !voted {
		b.failed[server] = true
	}
}

// withdraw takes back what a server said: it has lied.
func (b *ballot) withdraw(server int) {
	delete(b.votes, server)
	b.failed[server] = true
}

// supports reports whether a server says that it has k.
func (b *ballot) supports(k key) bool {
	for _, vote := range b.votes {
		if vote == k {
			return true
		}
	}
	return false
}

// complete reports whether every server has answered or failed.
func (b *ballot) complete() bool { return len(b.votes)+len(b.failed) >= b.servers }

// decide returns the content that was chosen; ok is false while it is open.
// The error is *IntegrityError: nobody has what is wanted, or there is a tie.
func (b *ballot) decide(now time.Time) (k key, ok bool, err error) {
	groups := b.groups()
	late := len(b.votes) > 0 && now.Sub(b.first) >= voteLimit
	switch {
	case len(groups) == 0 && b.want != nil && b.complete() && len(b.votes) > 0:
		return key{}, false, &IntegrityError{Reason: fmt.Sprintf("no server offers %s; %s", b.wish(), b.describe())}
	case len(groups) == 0:
		return key{}, false, nil
	}
	top := groups[0]
	if b.want != nil {
		return top.key, true, nil
	}
	tie := len(groups) > 1 && len(groups[1].servers) == len(top.servers)
	switch {
	case len(top.servers)*2 > b.servers:
		return top.key, true, nil
	case (late || b.complete()) && !tie:
		return top.key, true, nil
	case b.complete():
		return key{}, false, &IntegrityError{Reason: "the servers disagree about the content and no majority exists (--digest would decide): " + b.describe()}
	}
	return key{}, false, nil
}

// wish is what is wanted and why, for a person.
func (b *ballot) wish() string {
	wish := fmt.Sprintf("the content with BLAKE3 %v", *b.want)
	if b.size == nil {
		return wish
	}
	return fmt.Sprintf("%s and %d bytes, which the partial download in the output folder asks for (without -r that is dropped)", wish, *b.size)
}

// group is the servers that have the same content.
type group struct {
	key     key
	servers []int
}

// groups lists the contents that are wanted, the most frequent first.
func (b *ballot) groups() []group {
	var all []group
	for _, g := range b.allGroups() {
		if b.wanted(g.key) {
			all = append(all, g)
		}
	}
	return all
}

// wanted reports whether a content may be chosen.
func (b *ballot) wanted(k key) bool {
	switch {
	case b.proven != nil:
		return k == *b.proven
	case b.size != nil && k.size != *b.size:
		return false
	}
	return b.want == nil || k.root == *b.want
}

func (b *ballot) allGroups() []group {
	index := map[key]int{}
	var all []group
	for s := range b.servers {
		k, voted := b.votes[s]
		if !voted {
			continue
		}
		i, known := index[k]
		if !known {
			i = len(all)
			index[k] = i
			all = append(all, group{key: k})
		}
		all[i].servers = append(all[i].servers, s)
	}
	slices.SortStableFunc(all, func(a, b group) int { return len(b.servers) - len(a.servers) })
	return all
}

// describe lists who has what, for a person.
func (b *ballot) describe() string {
	var parts []string
	for _, g := range b.allGroups() {
		var numbers []string
		for _, s := range g.servers {
			numbers = append(numbers, fmt.Sprint(s+1))
		}
		parts = append(parts, fmt.Sprintf("server %s: %v (%d bytes)", strings.Join(numbers, ", "), g.key.root, g.key.size))
	}
	return strings.Join(parts, "; ")
}
