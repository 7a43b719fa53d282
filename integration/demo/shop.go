package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// serveShop is the service of the demonstration: it keeps orders in a file on the mounted disk. An order is
// acknowledged when it is on disk. It ends if the disk is not mounted: orders must not go elsewhere.
func serveShop(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "shop")); err != nil {
		return fmt.Errorf("the shop's disk is not mounted: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "orders"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders/{number}", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if _, err := fmt.Fprintln(f, r.PathValue("number")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if err := f.Sync(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		host, err := os.Hostname()
		if err != nil {
			host = err.Error()
		}
		fmt.Fprintln(w, host)
	})
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		http.ServeFile(w, r, filepath.Join(dir, "orders"))
	})
	// The last owner's socket may linger in this node's tables; a shop that cannot listen is a failed start.
	ln, err := net.Listen("tcp", ":80")
	if err != nil {
		return err
	}
	return (&http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}).Serve(ln)
}

// customer places orders at the shop, one after the other, and remembers which were acknowledged.
type customer struct {
	http *http.Client
	url  string

	mu    sync.Mutex
	acked []int
}

// orderWait is how long a customer waits for an acknowledgement: a node that lost power never answers.
const orderWait = 200 * time.Millisecond

func (c *customer) order(n int) error {
	resp, err := c.http.Post(fmt.Sprintf("%s/orders/%d", c.url, n), "text/plain", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked = append(c.acked, n)
	return nil
}

// lost returns the orders that were acknowledged and are not in the shop's book.
func (c *customer) lost() (acked int, lost []int, err error) {
	resp, err := c.http.Get(c.url + "/orders")
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	book := map[int]bool{}
	for {
		var n int
		if _, err := fmt.Fscan(resp.Body, &n); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return 0, nil, fmt.Errorf("read the book: %w", err)
		}
		book[n] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.acked {
		if !book[n] {
			lost = append(lost, n)
		}
	}
	return len(c.acked), lost, nil
}
