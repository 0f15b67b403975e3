// Package segment is the file in pieces: how a file is cut into segments, the
// hash tree that proves each of them, the source that a server reads from, and
// the part file that a client writes to, resumes and at last renames.
//
// A segment is a whole subtree of the BLAKE3 tree of the file, so the list of the
// segments' chaining values folds up to the digest that b3sum prints, and every
// segment can be verified on its own, in any order, as it comes.
package segment
