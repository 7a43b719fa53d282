package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"time"
)

// The file format of bbolt, version 2, as far as it is read here. Numbers are in the machine's byte order. A page begins with its header:
// its number (8 bytes), flags (2), how many elements it has (2), and how many pages it goes on over (4). The two first pages are meta pages and
// name the roots of the last two transactions. A branch's elements name pages below it; those of a leaf may be buckets, whose values begin
// with the number of their root, or 0 for one that lies in the value itself. The free list is a run of page numbers; where they are more
// than a header can count, the first is how many follow.
const (
	pageHeader    = 16
	pageElement   = 16
	pageBranch    = 0x01
	pageLeaf      = 0x02
	pageFreelist  = 0x10
	elementBucket = 0x01
	bucketHeader  = 16

	freeNumber  = 8
	freeCounted = 0xFFFF // the header's count where the first number is it

	metaLength = 64
	metaMagic  = 0xED0CDAED
	metaNoList = ^uint64(0) // in place of the free list's page: it is made anew when the file is opened
)

// meta is what a meta page says.
type meta struct {
	pageSize, root, free, pages, transaction uint64
}

// checkPages refuses a file that bbolt would open at an older transaction than its last, that ends too early, or whose pages are no
// tree, or both in it and free. bbolt passes over a broken meta page in silence; here that would undo an acknowledged write, or a vote. A power cut does not
// break one: it lies within one sector. Where a page leads back to one above it, bbolt would go round for ever.
func checkPages(path string, wait time.Duration) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer f.Close()
	if err := lockShared(f, wait); err != nil { // nobody writes meanwhile; released by the close
		return fmt.Errorf("open %s: %w", path, err)
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	newest, err := readMetas(f, uint64(info.Size()))
	if err == nil {
		err = checkTree(f, newest)
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the file ends too early")
	}
	if err != nil {
		return damagedFile(path, err)
	}
	return nil
}

// readMetas reads both meta pages, which must be whole, and returns that of the last transaction.
func readMetas(f io.ReaderAt, size uint64) (meta, error) {
	var newest meta
	for page := range uint64(2) {
		b := make([]byte, metaLength)
		if _, err := f.ReadAt(b, int64(page*newest.pageSize+pageHeader)); err != nil {
			return meta{}, err
		}
		sum := fnv.New64a()
		sum.Write(b[:metaLength-8])
		word := binary.NativeEndian
		if word.Uint32(b) != metaMagic || word.Uint64(b[metaLength-8:]) != sum.Sum64() {
			return meta{}, fmt.Errorf("meta page %d: %w", page, errChecksum)
		}
		m := meta{uint64(word.Uint32(b[8:])), word.Uint64(b[16:]), word.Uint64(b[32:]), word.Uint64(b[40:]), word.Uint64(b[48:])}
		if m.pageSize < 512 || m.pages > size/m.pageSize {
			return meta{}, fmt.Errorf("the file ends too early: %d bytes for %d pages", size, m.pages)
		}
		if page == 0 || m.transaction > newest.transaction {
			newest = m
		}
	}
	return newest, nil
}

// checkTree reads every branch and leaf, and the free list: each page is below one other, or free, and what they point to lies within them.
func checkTree(f io.ReaderAt, m meta) error {
	seen := map[uint64]bool{}
	visit := func(page uint64) error {
		if page < 2 || page >= m.pages {
			return fmt.Errorf("page %d is not there: there are %d", page, m.pages)
		}
		if seen[page] {
			return fmt.Errorf("page %d is reached twice", page)
		}
		seen[page] = true
		return nil
	}
	read := func(page uint64) ([]byte, error) {
		b, err := readPage(f, m, page)
		for i := range uint64(len(b)) / m.pageSize {
			if err := visit(page + i); err != nil {
				return nil, err
			}
		}
		return b, err
	}
	for open := []uint64{m.root}; len(open) > 0; {
		page := open[len(open)-1]
		open = open[:len(open)-1]
		b, err := read(page)
		var below []uint64
		if err == nil {
			below, err = pagesBelow(b)
		}
		if err != nil {
			return fmt.Errorf("page %d: %w", page, err)
		}
		open = append(open, below...)
	}
	if m.free == metaNoList {
		return nil
	}
	b, err := read(m.free)
	var free []uint64
	if err == nil {
		free, err = freePages(b)
	}
	for i := 0; i < len(free) && err == nil; i++ {
		err = visit(free[i])
	}
	if err != nil {
		return fmt.Errorf("the list of free pages: %w", err)
	}
	return nil
}

// readPage reads a page with those that it goes on over.
func readPage(f io.ReaderAt, m meta, page uint64) ([]byte, error) {
	if page < 2 || page >= m.pages {
		return nil, fmt.Errorf("it is not there: there are %d", m.pages)
	}
	head := make([]byte, pageHeader)
	if _, err := f.ReadAt(head, int64(page*m.pageSize)); err != nil {
		return nil, err
	}
	if own := binary.NativeEndian.Uint64(head); own != page {
		return nil, fmt.Errorf("it calls itself page %d", own)
	}
	more := uint64(binary.NativeEndian.Uint32(head[12:]))
	if more >= m.pages-page {
		return nil, fmt.Errorf("it goes on over %d pages", more)
	}
	b := make([]byte, (more+1)*m.pageSize)
	_, err := f.ReadAt(b, int64(page*m.pageSize))
	return b, err
}

// pagesBelow returns the pages that a branch or a leaf names.
func pagesBelow(b []byte) ([]uint64, error) {
	if binary.NativeEndian.Uint16(b[8:]) == pageBranch {
		return branchPages(b)
	}
	return leafPages(b, true)
}

// freePages returns the pages of a free list. One that is in use, too, would be written over.
func freePages(b []byte) ([]uint64, error) {
	if kind := binary.NativeEndian.Uint16(b[8:]); kind != pageFreelist {
		return nil, fmt.Errorf("it is of kind %#x", kind)
	}
	numbers := b[pageHeader:]
	count := uint64(binary.NativeEndian.Uint16(b[10:]))
	if count == freeCounted {
		count, numbers = binary.NativeEndian.Uint64(numbers), numbers[freeNumber:]
	}
	if count > uint64(len(numbers)/freeNumber) {
		return nil, fmt.Errorf("it cannot have %d numbers", count)
	}
	var free []uint64
	for i := range count {
		free = append(free, binary.NativeEndian.Uint64(numbers[i*freeNumber:]))
	}
	return free, nil
}

// elements returns how many elements a page of the kind has, if they fit into it.
func elements(b []byte, kind uint16) (int, error) {
	have, count := binary.NativeEndian.Uint16(b[8:]), int(binary.NativeEndian.Uint16(b[10:]))
	switch {
	case have != kind:
		return 0, fmt.Errorf("it is of kind %#x", have)
	case pageHeader+count*pageElement > len(b):
		return 0, fmt.Errorf("it cannot have %d elements", count)
	}
	return count, nil
}

// branchPages returns the pages below a branch. Its elements are the position and the length of a key, and a page.
func branchPages(b []byte) ([]uint64, error) {
	count, err := elements(b, pageBranch)
	if err == nil && count == 0 {
		err = errors.New("it is a branch without elements")
	}
	var below []uint64
	for i := 0; i < count && err == nil; i++ {
		at := pageHeader + i*pageElement
		below = append(below, binary.NativeEndian.Uint64(b[at+8:]))
		_, err = part(b, at, b[at:], b[at+4:])
	}
	return below, err
}

// leafPages returns the roots of the buckets in a leaf. Its elements are flags, the position and the length of a key, and the length of
// the value behind it. A bucket may lie in its value, as a leaf without buckets.
func leafPages(b []byte, buckets bool) ([]uint64, error) {
	count, err := elements(b, pageLeaf)
	var below []uint64
	for i := 0; i < count && err == nil; i++ {
		at := pageHeader + i*pageElement
		var value []byte
		if value, err = part(b, at, b[at+4:], b[at+8:], b[at+12:]); err != nil || binary.NativeEndian.Uint32(b[at:])&elementBucket == 0 {
			continue
		}
		switch {
		case !buckets || len(value) < bucketHeader:
			err = fmt.Errorf("element %d is no bucket", i)
		case binary.NativeEndian.Uint64(value) != 0:
			below = append(below, binary.NativeEndian.Uint64(value))
		case len(value) < bucketHeader+pageHeader:
			err = fmt.Errorf("the bucket in element %d is too short", i)
		default:
			_, err = leafPages(value[bucketHeader:], false)
		}
	}
	return below, err
}

// part returns the last part of an element at a place of a page, if it ends within the page: parts are distances, each from where the one
// before ends, and each is a number of four bytes.
func part(b []byte, at int, parts ...[]byte) ([]byte, error) {
	from, to := uint64(at), uint64(at)
	for _, p := range parts {
		from, to = to, to+uint64(binary.NativeEndian.Uint32(p))
	}
	if to > uint64(len(b)) {
		return nil, fmt.Errorf("what lies at byte %d ends beyond it", at)
	}
	return b[from:to], nil
}
