package cib

import (
	"fmt"

	"github.com/beevik/etree"
)

// Tree returns the CIB as a tree of elements, to be looked at: comments are attributes of that name, and values that XML cannot
// hold stand as they are. The tree is the caller's: nothing of it is shared.
func Tree(c *CIB) *etree.Element {
	x := &encoder{lenient: true}
	return x.cib(c)
}

// Document returns the CIB as the tree that Encode writes, with comments before their elements. The tree is the caller's.
func Document(c *CIB) (*etree.Element, error) {
	x := &encoder{}
	root := x.cib(c)
	return root, x.err
}

// FromTree reads what Document made, or a part of it, back. What has no place in a CIB is left out.
func FromTree(root *etree.Element) (*CIB, error) {
	if root.Tag != "cib" {
		return nil, fmt.Errorf("read a tree: its root is <%s>, not <cib>", root.Tag)
	}
	c := &CIB{}
	d := &decoder{root: root, lineOf: func(int) int { return 0 }}
	d.cib(root, c)
	if d.err != nil {
		return nil, d.err
	}
	return c, nil
}
