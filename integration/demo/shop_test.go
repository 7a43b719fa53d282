package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// An order that was acknowledged and is not in the book is lost, one that was refused is not.
func TestLostOrders(t *testing.T) {
	book := ""
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/orders/2":
			http.Error(w, "closed", http.StatusServiceUnavailable)
		case "/orders":
			fmt.Fprint(w, book)
		}
	}))
	defer shop.Close()
	c := &customer{http: shop.Client(), url: shop.URL}
	for _, n := range []int{1, 2, 3} {
		if err := c.order(n); (err == nil) != (n != 2) {
			t.Fatalf("order %d: %v", n, err)
		}
	}
	book = "1\n3\n"
	if acked, lost, err := c.lost(); acked != 2 || len(lost) != 0 || err != nil {
		t.Errorf("all there: %d acknowledged, lost %v, %v", acked, lost, err)
	}
	book = "1\n"
	if acked, lost, err := c.lost(); acked != 2 || len(lost) != 1 || lost[0] != 3 || err != nil {
		t.Errorf("one lost: %d acknowledged, lost %v, %v", acked, lost, err)
	}
}

func TestShopWantsItsDisk(t *testing.T) {
	if err := serveShop(t.TempDir()); err == nil {
		t.Error("a shop opened on a disk that is not its own")
	}
}
