package client_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lukechampine.com/blake3"
	"lukechampine.com/blake3/guts"

	"braid/client"
	"braid/segment"
	"braid/wire"
)

func digest(data []byte) string { return fmt.Sprintf("%x", blake3.Sum256(data)) }

// integrity holds that a run has ended with an IntegrityError that names parts.
func (r *run) integrity(parts ...string) *run {
	r.w.t.Helper()
	return failedWith[*client.IntegrityError](r, parts)
}

// empty holds that the run has left nothing.
func (r *run) empty() *run {
	r.w.t.Helper()
	if left, _ := os.ReadDir(r.cfg.Output); len(left) > 0 {
		r.w.t.Errorf("left behind: %v", left)
	}
	return r
}

func TestMajorityOfThree(t *testing.T) {
	inWorld(t, func(w *world) {
		good, other := content(size, 1), content(size, 2)
		w.serve(1, w.file("f.bin", good), 200*kB, 20*time.Millisecond)
		w.serve(2, w.file("f.bin", other), 200*kB, 20*time.Millisecond)
		w.serve(3, w.file("f.bin", good), 200*kB, 20*time.Millisecond)
		r := w.download(3).complete("f.bin", good).within(1.1, size, 400*kB).
			told("Server 2 (h:9002): holds another file: BLAKE3 "+digest(other), 1)
		if r.from(2) != 0 {
			t.Errorf("%d bytes from the server with other content", r.from(2))
		}
	})
}

// TestFirstAnswerIsTheMinority has the content change after data has been written.
func TestFirstAnswerIsTheMinority(t *testing.T) {
	inWorld(t, func(w *world) {
		good, other := content(size, 1), content(size, 2)
		w.serve(1, w.file("f.bin", other), 2000*kB, 1*time.Millisecond)
		w.serve(2, w.file("f.bin", good), 200*kB, 200*time.Millisecond)
		w.serve(3, w.file("f.bin", good), 200*kB, 220*time.Millisecond)
		r := w.download(3).complete("f.bin", good).told("Server 1 (h:9001): holds another file", 1)
		if limit := 1.5 + float64(size)/(400*kB); r.from(1) != 0 || r.took.Seconds() > 1.15*limit {
			t.Errorf("%d bytes from the server with other content, took %v", r.from(1), r.took)
		}
	})
}

// TestMinorityThatTheDiskRefuses has no folder for the first answer's file, as if that were too large
// for it, and one when the vote is decided.
func TestMinorityThatTheDiskRefuses(t *testing.T) {
	inWorld(t, func(w *world) {
		good, other := content(1*MB, 1), content(1*MB, 2)
		w.serve(1, w.file("wrong.bin", other), 2000*kB, 1*time.Millisecond)
		w.serve(2, w.file("right.bin", good), 200*kB, 200*time.Millisecond)
		w.serve(3, w.file("right.bin", good), 200*kB, 220*time.Millisecond)
		w.at(time.Millisecond, func() {
			if err := errors.Join(os.Remove(w.out()), os.WriteFile(w.out(), nil, 0o666)); err != nil {
				t.Error(err)
			}
		})
		w.at(300*time.Millisecond, func() {
			if err := errors.Join(os.Remove(w.out()), os.Mkdir(w.out(), 0o777)); err != nil {
				t.Error(err)
			}
		})
		w.download(3).complete("right.bin", good)
	})
}

// TestKillBeforeTheVote kills the client when it has fetched something of the first answer's content, and not
// yet heard that most have another one: -r does not take the first one for what is wanted.
func TestKillBeforeTheVote(t *testing.T) {
	inWorld(t, func(w *world) {
		good, other := content(size, 1), content(size, 2)
		w.serve(1, w.file("f.bin", other), 2000*kB, 1*time.Millisecond)
		w.serve(2, w.file("f.bin", good), 200*kB, 200*time.Millisecond)
		w.serve(3, w.file("f.bin", good), 200*kB, 220*time.Millisecond)
		killed := filepath.Join(w.dir, "killed") // what is there at that moment
		w.at(300*time.Millisecond, func() {
			part, err := os.ReadFile(filepath.Join(w.out(), "f.bin.part"))
			if err != nil || bytes.Equal(part, make([]byte, size)) {
				t.Errorf("nothing is fetched yet: %v", err)
			}
			if err := os.CopyFS(killed, os.DirFS(w.out())); err != nil {
				t.Error(err)
			}
		})
		w.download(3).complete("f.bin", good)
		w.download(3, resume, func(c *client.Config) { c.Output = killed }).complete("f.bin", good)
	})
}

// TestKillAfterTheVote has the first answer's content win: what came before that is kept as well.
func TestKillAfterTheVote(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.serve(1, w.file("f.bin", data), 2000*kB, 1*time.Millisecond)
		w.serve(2, w.file("f.bin", data), 200*kB, 200*time.Millisecond)
		w.serve(3, w.file("f.bin", data), 200*kB, 220*time.Millisecond)
		killed := filepath.Join(w.dir, "killed")
		w.at(1300*time.Millisecond, func() {
			if err := os.CopyFS(killed, os.DirFS(w.out())); err != nil {
				t.Error(err)
			}
		})
		w.download(3).complete("f.bin", data)
		r := w.download(3, resume, func(c *client.Config) { c.Output = killed }).complete("f.bin", data)
		if n := r.result().Resumed; n < 1000*kB {
			t.Errorf("resumed %d", n)
		}
	})
}

// TestFirstAnswerIsTheMinorityOfOtherName has the first part file go, too.
func TestFirstAnswerIsTheMinorityOfOtherName(t *testing.T) {
	inWorld(t, func(w *world) {
		good, other := content(1*MB, 1), content(1*MB, 2)
		w.serve(1, w.file("wrong.bin", other), 2000*kB, 1*time.Millisecond)
		w.serve(2, w.file("right.bin", good), 200*kB, 200*time.Millisecond)
		w.serve(3, w.file("right.bin", good), 200*kB, 220*time.Millisecond)
		w.download(3).complete("right.bin", good)
		if _, err := os.Stat(filepath.Join(w.out(), "wrong.bin")); err == nil {
			t.Error("the minority's file is there")
		}
	})
}

func TestTie(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := content(size, 1), content(size+5, 2)
		w.serve(1, w.file("f.bin", a), 2000*kB, 1*time.Millisecond)
		w.serve(2, w.file("f.bin", b), 200*kB, 150*time.Millisecond)
		w.serve(3, w.file("f.bin", b), 200*kB, 150*time.Millisecond)
		w.serve(4, w.file("f.bin", a), 200*kB, 150*time.Millisecond)
		r := w.download(4).integrity("no majority", "--digest",
			fmt.Sprintf("server 1, 4: %s (%d bytes)", digest(a), size), fmt.Sprintf("server 2, 3: %s (%d bytes)", digest(b), size+5)).empty().
			told("holds another file", 4)
		if r.took > 2*time.Second {
			t.Errorf("took %v", r.took)
		}
	})
}

func TestDigestAgainstAMajority(t *testing.T) {
	inWorld(t, func(w *world) {
		good, lie := content(size, 1), content(size, 2)
		w.serve(1, w.file("f.bin", lie), 500*kB, 1*time.Millisecond)
		w.serve(2, w.file("f.bin", lie), 500*kB, 1*time.Millisecond)
		w.serve(3, w.file("f.bin", good), 500*kB, 30*time.Millisecond)
		r := w.download(3, func(c *client.Config) { c.Digest = digest(good) }).complete("f.bin", good).within(1.15, size, 500*kB)
		if r.from(1) != 0 || r.from(2) != 0 {
			t.Error("bytes from a liar")
		}
	})
}

func TestDigestThatNobodyHas(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.three(data)
		r := w.download(3, func(c *client.Config) { c.Digest = digest([]byte("x")) }).
			integrity("no server offers the content with BLAKE3 "+digest([]byte("x")), "server 1, 2, 3: "+digest(data)).empty().told("holds another file: BLAKE3 "+digest(data), 3)
		if r.took > time.Second {
			t.Errorf("took %v", r.took)
		}
	})
}

func TestLateJoinerWithOtherContent(t *testing.T) {
	inWorld(t, func(w *world) {
		good, other := content(size, 1), content(size, 2)
		w.serve(1, w.file("f.bin", good), 100*kB, 20*time.Millisecond)
		late := w.serve(2, w.file("f.bin", other), 200*kB, 20*time.Millisecond)
		late.kill()
		w.at(3*time.Second, late.revive)
		// It is looked at again now and then, and told of once.
		r := w.download(2).complete("f.bin", good).told("Server 2 (h:9002): holds another file", 1).within(1.1, size, 100*kB)
		if r.from(2) != 0 || late.dials > 3 {
			t.Errorf("%d bytes from it, dialled %d times", r.from(2), late.dials)
		}
	})
}

// damageAll changes a byte of every segment.
func damageAll(_ int64, b []byte) {
	for i := 0; i < len(b); i += 16 << 10 {
		b[i] ^= 4
	}
}

// TestCorruptSegments has a liar that says the right things and sends damaged data.
func TestCorruptSegments(t *testing.T) {
	for _, streams := range []int{1, 4} {
		t.Run(fmt.Sprint(streams, " streams"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				data := content(size, 1)
				w.serve(1, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
				liar := actor{data: data, name: "f.bin", damage: damageAll}
				h := w.script(2, 200*kB, 20*time.Millisecond, liar.talk)
				r := w.download(2, func(c *client.Config) { c.Streams = streams }).complete("f.bin", data).
					told("Server 2 (h:9002): sent corrupt data", 3).told("; it is not used any more", 1).within(1.2, size, 200*kB)
				if r.from(2) != 0 {
					t.Errorf("%d bytes from the liar", r.from(2))
				}
				dials := h.dials
				if r := r.result(); r.Servers[1].State != "corrupt" || r.Servers[1].Streams != 0 {
					t.Errorf("the liar is %+v", r.Servers[1])
				}
				if dials > 3*streams {
					t.Errorf("dialled %d times", dials)
				}
			})
		})
	}
}

// TestLiarAlone has nobody else to go to.
func TestLiarAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		liar := actor{data: data, name: "f.bin", damage: damageAll}
		w.script(1, 200*kB, 20*time.Millisecond, liar.talk)
		r := w.download(1).integrity("does not verify")
		if r.took > 10*time.Second {
			t.Errorf("took %v", r.took)
		}
	})
}

// TestBadPathAlone has a server that is right for a while. What has verified is the content that is
// wanted: another server goes on from there, in the same run or a later one.
func TestBadPathAlone(t *testing.T) {
	data := content(size, 1)
	bad := actor{data: data, name: "f.bin", damage: func(off int64, b []byte) {
		if off >= 2*MB {
			damageAll(off, b)
		}
	}}
	wanted := func(c *client.Config) { c.Digest = digest(data) }
	t.Run("and another one comes", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.script(1, 200*kB, 20*time.Millisecond, bad.talk)
			late := w.serve(2, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
			late.kill()
			w.at(time.Minute, late.revive)
			r := w.download(2, wanted).complete("f.bin", data)
			if r.from(1) < 1*MB {
				t.Errorf("%d bytes of the first server were kept", r.from(1))
			}
		})
	})
	for name, change := range map[string]func(*client.Config){"with a digest": wanted, "without": func(*client.Config) {}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(1, 200*kB, 20*time.Millisecond, bad.talk)
				r := w.download(1, change).integrity("does not verify", "what has verified is kept").told("all servers lost", 2) // but not at the third time
				w.serve(1, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
				if r.took > time.Minute {
					t.Errorf("took %v", r.took)
				}
				if n := w.download(1, change, resume).complete("f.bin", data).result().Resumed; n < 1*MB {
					t.Errorf("resumed %d", n)
				}
			})
		})
	}
}

// TestManifestThatDoesNotFold also has one that leaves before it is found out.
func TestManifestThatDoesNotFold(t *testing.T) {
	for name, size := range map[string]int{"inline": 1 * MB, "asked for": 4 * MB} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				data := content(size, 1)
				liar := actor{data: data, name: "f.bin", values: func(v []byte) []byte { v[40] ^= 1; return v }}
				h := w.script(1, 1000*kB, 1*time.Millisecond, liar.talk)
				w.serve(2, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
				r := w.download(2).complete("f.bin", data)
				if h.dials > 3 {
					t.Errorf("dialled %d times\n%s", h.dials, r.stderr.String())
				}
			})
		})
	}
}

// TestManifestThatDoesNotFoldAlone holds that a liar is found out however fast it leaves.
func TestManifestThatDoesNotFoldAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(1*MB, 1)
		liar := actor{data: data, name: "f.bin", values: func(v []byte) []byte { v[40] ^= 1; return v }}
		h := w.script(1, 1000*kB, 1*time.Millisecond, liar.talk)
		r := w.download(1).integrity("does not verify").empty()
		if h.dials != 3 || r.took > 5*time.Second {
			t.Errorf("dialled %d times in %v", h.dials, r.took)
		}
	})
}

// foldPairs makes chaining values of twice the size.
func foldPairs(values []byte) (pairs []byte) {
	word := func(b []byte) (v [8]uint32) {
		for i := range v {
			v[i] = binary.LittleEndian.Uint32(b[4*i:])
		}
		return v
	}
	for ; len(values) > 0; values = values[64:] {
		for _, w := range guts.ChainingValue(guts.ParentNode(word(values), word(values[32:]), &guts.IV, 0)) {
			pairs = binary.LittleEndian.AppendUint32(pairs, w)
		}
	}
	return pairs
}

// wrongSize claims the right root with another size, which the manifest alone does not
// disprove.
func wrongSize(data []byte) actor {
	return actor{
		data: append(bytes.Clone(data), 0, 0, 0), name: "f.bin",
		welcome: func(w *wire.Welcome) {
			w.Layout = segment.LayoutOf(int64(len(data) + 3))
			w.Root = segment.Root(blake3.Sum256(data))
		},
		values: func([]byte) []byte { return valuesOf(data) },
	}
}

func valuesOf(data []byte) []byte {
	m, err := segment.Hash(context.Background(), bytes.NewReader(data), int64(len(data)), nil)
	if err != nil {
		panic(err)
	}
	return bytes.Clone(m.Values())
}

func wants(data []byte) func(*client.Config) {
	return func(c *client.Config) { c.Digest = digest(data) }
}

func TestWrongSize(t *testing.T) {
	data := content(1*MB, 1)
	liar := wrongSize(data)
	t.Run("alone", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.script(1, 200*kB, 20*time.Millisecond, liar.talk)
			w.download(1).integrity("does not verify")
			if _, err := os.Stat(filepath.Join(w.out(), "f.bin")); err == nil {
				t.Error("there is a file")
			}
		})
	})
	t.Run("in the minority", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.script(1, 200*kB, 1*time.Millisecond, liar.talk)
			w.serve(2, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
			w.serve(3, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
			w.download(3).complete("f.bin", data).told("Server 1 (h:9001): holds another file", 1)
		})
	})
}

// TestWrongSizeWithDigest needs no votes: the last segment proves the size.
func TestWrongSizeWithDigest(t *testing.T) {
	data := content(1*MB, 1)
	liar := wrongSize(data)
	for name, latency := range map[string]time.Duration{"the liar first": time.Millisecond, "the liar last": 300 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(1, 200*kB, latency, liar.talk)
				w.serve(2, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
				w.download(2, wants(data)).complete("f.bin", data).mentioned("Server 1 (h:9001): ").
					within(1.3, len(data), 200*kB).wasted(600 * kB)
			})
		})
	}
	t.Run("many liars that never prove it", func(t *testing.T) {
		inWorld(t, func(w *world) {
			slow := liar
			slow.answer = func(m wire.Message) []byte {
				if m.Type() == wire.TypeRequest {
					return []byte{} // nothing
				}
				return nil
			}
			for k := range 5 {
				w.script(k+1, 200*kB, time.Millisecond, slow.talk)
			}
			w.serve(6, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
			w.download(6, wants(data)).complete("f.bin", data).within(1.3, len(data), 200*kB).told("holds another file", 5)
		})
	})
	t.Run("empty", func(t *testing.T) {
		inWorld(t, func(w *world) {
			nothing := actor{name: "f.bin", welcome: func(w *wire.Welcome) { w.Root = segment.Root(blake3.Sum256(data)) }}
			w.script(1, 200*kB, 1*time.Millisecond, nothing.talk)
			w.serve(2, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
			w.download(2, wants(data)).complete("f.bin", data).mentioned("the hash tree does not match the file's digest").within(1.3, len(data), 200*kB)
		})
	})
}

// TestInnerNodesAsSegments has a liar with inner nodes of the tree for chaining values: two
// segments of 16 KiB stand as one, half the file, as it were.
func TestInnerNodesAsSegments(t *testing.T) {
	inWorld(t, func(w *world) {
		const half = 31 << 14
		data := content(1*MB, 1)
		root := segment.Root(blake3.Sum256(data))
		nodes := foldPairs(valuesOf(data))
		if _, err := segment.NewManifest(segment.LayoutOf(half), root, nodes); err != nil {
			t.Fatalf("the lie is none: %v", err)
		}
		liar := actor{
			data: data[:half], name: "f.bin",
			welcome: func(w *wire.Welcome) { w.Root = root },
			values:  func([]byte) []byte { return bytes.Clone(nodes) },
		}
		w.script(1, 200*kB, time.Millisecond, liar.talk)
		w.serve(2, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
		w.download(2, wants(data)).complete("f.bin", data).mentioned("Server 1 (h:9001): ").within(1.3, len(data), 200*kB)
	})
}

func TestWrongSizeResumed(t *testing.T) {
	data := content(1*MB, 1)
	liar := wrongSize(data)
	t.Run("the truth", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.script(1, 200*kB, 1*time.Millisecond, liar.talk)
			w.serve(2, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
			w.interrupt(2, 3*time.Second, wants(data))
			r := w.download(2, resume).complete("f.bin", data).mentioned("Server 1 (h:9001): ")
			if n := r.result().Resumed; n < 200*kB {
				t.Errorf("only %d bytes resumed", n)
			}
		})
	})
	t.Run("the lie", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.script(1, 200*kB, 1*time.Millisecond, liar.talk)
			w.interrupt(1, 3*time.Second, wants(data))
			w.serve(2, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
			w.download(2, resume).complete("f.bin", data)
		})
	})
}

func TestEvilNames(t *testing.T) {
	for name, want := range map[string]string{
		"../../etc/passwd":               "passwd",
		`..\..\boot.ini`:                 "boot.ini",
		"CON":                            "_CON",
		"..":                             "download",
		"a\nb\x1b[2Jc":                   "a_b_[2Jc",
		strings.Repeat("x", 4090) + ".y": strings.Repeat("x", 242) + ".y",
		"f.part.state":                   "f.part.state_",
	} {
		t.Run(want, func(t *testing.T) {
			inWorld(t, func(w *world) {
				data := content(100*kB, 1)
				w.script(1, 0, time.Millisecond, actor{data: data, name: name}.talk)
				r := w.download(1).complete(want, data)
				files, _ := os.ReadDir(w.out())
				if len(files) != 1 || filepath.Dir(r.result().Path) != w.out() {
					t.Errorf("%v in the folder, %s reported", files, r.result().Path)
				}
			})
		})
	}
}

// TestLiarThatWonTheVote answers alone within the time of the vote, then
// lies: the honest servers that were turned away get their say.
func TestLiarThatWonTheVote(t *testing.T) {
	inWorld(t, func(w *world) {
		good, other := content(size, 1), content(size, 2)
		liar := w.serve(1, w.file("f.bin", other), 500*kB, 20*time.Millisecond)
		packets := 0
		liar.flip = func() bool { packets++; return packets%200 == 199 }
		for i := 2; i <= 3; i++ {
			late := w.serve(i, w.file("f.bin", good), 1000*kB, 20*time.Millisecond)
			late.kill()
			w.at(1500*time.Millisecond, late.revive)
		}
		w.download(3).complete("f.bin", good).told("nobody else has that content", 1)
	})
}
