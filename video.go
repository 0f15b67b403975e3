package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math"
	"math/rand/v2"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// The demo's video: six seconds of four strands that are woven into one, as
// Motion-JPEG in an AVI file (Microsoft, "AVI RIFF File Reference").
const (
	videoWidth  = 640
	videoHeight = 360
	videoRate   = 24 // frames/s
	videoFrames = 6 * videoRate
	videoBytes  = 8_000_000 // the size to come near to

	aviFrameID  = "00dc" // stream 0, compressed video
	aviHasIndex = 0x10   // AVIF_HASINDEX
	aviKeyFrame = 0x10   // AVIIF_KEYFRAME: every JPEG stands by itself
)

// writeVideo writes the video to w: 8,000,000 bytes, give or take five per
// cent. It takes a second or two of one core. The errors are those of w.
func writeVideo(w io.Writer) error {
	frames, err := encodeFrames()
	if err != nil {
		return fmt.Errorf("demo video: %w", err)
	}
	if err := writeAVI(w, frames); err != nil {
		return fmt.Errorf("demo video: %w", err)
	}
	return nil
}

// encodeFrames draws the frames and makes JPEGs of them on all cores, a second
// of the video at a time. After each second the JPEG quality is set
// anew, so that the whole comes near to videoBytes.
func encodeFrames() ([][]byte, error) {
	const startQuality = 84
	frames := make([][]byte, videoFrames)
	scene := newScene()
	quality, spent := startQuality, 0
	for start := 0; start < videoFrames; start += videoRate {
		var group errgroup.Group
		group.SetLimit(runtime.GOMAXPROCS(0))
		for i := start; i < start+videoRate; i++ {
			group.Go(func() error {
				var b bytes.Buffer
				err := jpeg.Encode(&b, scene.frame(i), &jpeg.Options{Quality: quality})
				frames[i] = b.Bytes()
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		second := 0 // bytes
		for _, f := range frames[start : start+videoRate] {
			second += len(f)
		}
		spent += second
		if left := videoFrames - start - videoRate; left > 0 {
			budget := (videoBytes - spent) * videoRate / left
			quality = nextQuality(quality, second, budget)
		}
	}
	return frames, nil
}

// nextQuality is the quality for a second of budget bytes, when one at the
// present quality took size bytes. Around 84, a step changes a frame's size by about 4.5 %.
func nextQuality(quality, size, budget int) int {
	const perStep = 0.045
	step := int(math.Round(math.Log(float64(max(budget, 1))/float64(size)) / perStep))
	return min(max(quality+min(max(step, -10), 10), 20), 95)
}

// writeAVI writes one RIFF file: the headers, the frames, and the index of the frames.
func writeAVI(w io.Writer, frames [][]byte) error {
	const listHeader = 12 // "LIST", size, kind
	movi := 4             // bytes: the kind "movi" and the frames' chunks
	largest := 0          // bytes of the largest frame
	var index []byte
	for _, f := range frames {
		index = append(index, aviFrameID...)
		// The index counts from the kind "movi".
		index = le32(index, aviKeyFrame, uint32(movi), uint32(len(f)))
		movi += 8 + len(f) + len(f)%2
		largest = max(largest, len(f))
	}
	headers := aviHeaders(len(frames), largest)
	index = chunk("idx1", index)

	out := append([]byte("RIFF"), le32(nil, uint32(4+len(headers)+listHeader-4+movi+len(index)))...)
	out = append(out, "AVI "...)
	out = append(out, headers...)
	out = append(out, "LIST"...)
	out = le32(out, uint32(movi))
	out = append(out, "movi"...)
	if _, err := w.Write(out); err != nil {
		return err
	}
	for _, f := range frames {
		if _, err := w.Write(chunk(aviFrameID, f)); err != nil {
			return err
		}
	}
	_, err := w.Write(index)
	return err
}

// aviHeaders is the list "hdrl": one main header, one video stream.
func aviHeaders(frames, largest int) []byte {
	buffer := uint32(8 + largest)
	avih := le32(nil,
		1_000_000/videoRate, // µs a frame
		buffer*videoRate,    // bytes/s at most
		0,                   // no padding of chunks
		aviHasIndex,
		uint32(frames),
		0, // no initial frames
		1, // stream
		buffer,
		videoWidth, videoHeight,
		0, 0, 0, 0)
	strh := le32([]byte("vidsMJPG"),
		0,            // flags
		0,            // priority, language
		0,            // initial frames
		1, videoRate, // scale, rate: frames/s is rate/scale
		0, uint32(frames), // start, length
		buffer,
		math.MaxUint32, // default quality
		0,              // samples differ in size
		0,              // left, top
		videoHeight<<16|videoWidth)
	strf := le32(nil,
		40, videoWidth, videoHeight,
		24<<16|1, // bits a pixel, planes
		binary.LittleEndian.Uint32([]byte("MJPG")),
		videoWidth*videoHeight*3,
		0, 0, 0, 0)
	strl := list("strl", chunk("strh", strh), chunk("strf", strf))
	return list("hdrl", chunk("avih", avih), strl)
}

// chunk is a RIFF chunk: its size does not count the byte that makes it even.
func chunk(id string, data []byte) []byte {
	c := make([]byte, 0, 8+len(data)+1)
	c = append(c, id...)
	c = le32(c, uint32(len(data)))
	c = append(c, data...)
	if len(data)%2 == 1 {
		c = append(c, 0)
	}
	return c
}

func list(kind string, chunks ...[]byte) []byte {
	return chunk("LIST", append([]byte(kind), bytes.Join(chunks, nil)...))
}

func le32(b []byte, values ...uint32) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// ink is a colour, split as JPEG has it.
type ink struct{ y, cb, cr uint8 }

func newInk(r, g, b uint8) ink {
	y, cb, cr := color.RGBToYCbCr(r, g, b)
	return ink{y, cb, cr}
}

// scene holds what all frames share; frame may be called from several goroutines.
type scene struct {
	backdrop image.YCbCr // wider than a frame: each shows another part of its grain
	grain    []uint8     // luma noise, a power of two long
	strands  [4]ink
	profile  [256]struct{ light, bulge int } // of a strand, across it: brightness of 256, height in 1/256 pixel
}

const (
	grainMean    = 11  // luma
	grainMargin  = 256 // columns of the backdrop beside the frame
	strandRadius = 19  // pixels
	braidRadius  = 62  // pixels: how far the strands swing once they are woven
	axis         = 165 // pixels from the top: the height of the braid
)

func newScene() *scene {
	s := &scene{strands: [4]ink{
		newInk(255, 92, 92), newInk(255, 200, 60), newInk(80, 220, 130), newInk(90, 160, 255),
	}}
	random := rand.New(rand.NewPCG(8, 2026)) // any seed, always the same
	s.grain = make([]uint8, 1<<16)
	for i := range s.grain {
		s.grain[i] = uint8(random.UintN(grainMean+1) + random.UintN(grainMean+1))
	}
	s.backdrop = *image.NewYCbCr(image.Rect(0, 0, videoWidth+grainMargin, videoHeight), image.YCbCrSubsampleRatio420)
	night := newInk(18, 26, 52)
	for i := range s.backdrop.Y {
		y := i / s.backdrop.YStride
		glow := 26 * math.Exp(-math.Pow(float64(y-axis)/90, 2))
		s.backdrop.Y[i] = night.y - 12 + uint8(glow) + uint8(random.UintN(14)+random.UintN(14))
	}
	for i := range s.backdrop.Cb {
		s.backdrop.Cb[i], s.backdrop.Cr[i] = night.cb, night.cr
	}
	for i := range s.profile {
		d := float64(i)/127.5 - 1 // -1 at the upper edge, 1 at the lower one
		round := math.Sqrt(1 - d*d)
		gloss := math.Exp(-math.Pow((d+0.4)/0.18, 2))
		s.profile[i].light = int(256 * (0.16 + 0.6*round + 0.24*gloss))
		s.profile[i].bulge = int(256 * strandRadius * round)
	}
	return s
}

// frame draws the n-th frame.
func (s *scene) frame(n int) *image.YCbCr {
	random := rand.New(rand.NewPCG(uint64(n), 2026))
	m := image.NewYCbCr(image.Rect(0, 0, videoWidth, videoHeight), image.YCbCrSubsampleRatio420)
	for y := range videoHeight {
		from := y*s.backdrop.YStride + random.IntN(grainMargin)
		copy(m.Y[y*m.YStride:][:videoWidth], s.backdrop.Y[from:])
	}
	copy(m.Cb, s.backdrop.Cb)
	copy(m.Cr, s.backdrop.Cr)

	seconds := float64(n) / videoRate
	for x := range videoWidth {
		s.column(m, x, seconds, s.grain[random.IntN(len(s.grain)/2):])
	}

	white, dim := newInk(235, 238, 245), newInk(70, 80, 110)
	const margin, top, height = 24, 334, 8
	fill(m, margin, top, videoWidth-2*margin, height, dim)
	fill(m, margin, top, (videoWidth-2*margin)*(n+1)/videoFrames, height, white)
	text(m, videoWidth-margin-5*4*4, 24, 4, "BRAID", white)
	text(m, videoWidth-margin-7*8, 316, 2, fmt.Sprintf("%03d/%03d", n+1, videoFrames), white)
	return m
}

// column draws what the strands cover of one column of pixels. Of two strands
// the nearer surface is seen, pixel by pixel.
func (s *scene) column(m *image.YCbCr, x int, seconds float64, grain []uint8) {
	var nearest [videoHeight]int // distance from the axis' plane, in 1/256 pixel; the backdrop is far behind
	for y := range nearest {
		nearest[y] = math.MinInt
	}
	for i, ink := range s.strands {
		middle, depth := strandAt(i, float64(x), seconds)
		near := depth / braidRadius
		next, _ := strandAt(i, float64(x+1), seconds)
		half := strandRadius * (1 + 0.15*near) * math.Hypot(1, next-middle) // a steep strand's cut is longer
		// Bright pieces run along each strand, each at its own speed: the servers' fragments.
		run := math.Mod(float64(x)/150-seconds*(0.5+0.35*float64(i))+100, 1)
		bright := (0.68 + 0.14*near) * (1 + 0.3*math.Exp(-math.Pow((run-0.5)/0.16, 2)))
		luma := int(bright * float64(ink.y))
		plane := int(256 * depth)

		top := max(int(middle-half)+1, 0)
		bottom := min(int(middle+half), videoHeight-1)
		across := int((float64(top) - middle + half) / (2 * half) * 65536) // 0 at the upper edge, 65536 at the lower one
		step := int(65536 / (2 * half))
		for y := top; y <= bottom; y, across = y+1, across+step {
			at := s.profile[across>>8&255]
			if plane+at.bulge <= nearest[y] {
				continue
			}
			nearest[y] = plane + at.bulge
			fibre := 60 + (x+x/3+across>>11)&7 // of 64
			shade := luma*at.light*fibre>>14 + int(grain[y]) - grainMean
			m.Y[y*m.YStride+x] = uint8(min(max(shade, 0), 255))
			if (x|y)&1 == 0 {
				c := y/2*m.CStride + x/2
				m.Cb[c], m.Cr[c] = ink.cb, ink.cr
			}
		}
	}
}

// strandAt is the height of a strand's middle and how far it stands out before
// the plane of the axis, both in pixels. The strands come in far apart and are twisted into one.
func strandAt(strand int, x, seconds float64) (y, depth float64) {
	far := 1 - min(x/(0.6*videoWidth), 1)
	radius := braidRadius + 60*far*far*(3-2*far)
	phase := 14*math.Pow(x/videoWidth, 1.5) - 1.6*seconds + float64(strand)*math.Pi/2
	sin, cos := math.Sincos(phase)
	return axis + radius*sin, radius * cos
}

// fill paints a rectangle.
func fill(m *image.YCbCr, left, top, width, height int, k ink) {
	for y := top; y < top+height; y++ {
		for x := left; x < left+width; x++ {
			m.Y[m.YOffset(x, y)] = k.y
			c := m.COffset(x, y)
			m.Cb[c], m.Cr[c] = k.cb, k.cr
		}
	}
}

// text writes s in letters of 3 by 5 dots, each dot scale pixels wide. Of each
// letter, glyphRows has five octal digits: a row each, from the top.
func text(m *image.YCbCr, left, top, scale int, s string, k ink) {
	const (
		glyphs    = "0123456789/BRAID"
		glyphRows = "75557" + "26227" + "71747" + "71717" + "55711" + "74717" + "74757" + "71111" + "75757" + "75717" +
			"11244" + "65656" + "65655" + "25755" + "72227" + "65556"
	)
	for i := range len(s) {
		rows := glyphRows[5*bytes.IndexByte([]byte(glyphs), s[i]):][:5]
		for dot := range 15 {
			if x, y := dot%3, dot/3; rows[y]&(4>>x) != 0 {
				fill(m, left+(4*i+x)*scale, top+y*scale, scale, scale, k)
			}
		}
	}
}
