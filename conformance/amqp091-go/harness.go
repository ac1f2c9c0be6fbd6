package main

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	storyDeadline = 240 * time.Second
	waitDeadline  = 60 * time.Second // a busy machine is slow
)

type story struct {
	name     string
	body     func(*T)
	deadline time.Duration
}

// T is what a story works with: it fails through it, and everything opened
// or named by it is tidied up afterwards.
type T struct {
	conns     []*amqp.Connection
	queues    []string
	exchanges []string
	endings   []func() error // done first; what came last before the others
}

type failed string

func (t *T) fail(format string, args ...any) { panic(failed(fmt.Sprintf(format, args...))) }

func (t *T) ok(err error) {
	if err != nil {
		t.fail("%v", err)
	}
}

func (t *T) check(holds bool, format string, args ...any) {
	if !holds {
		t.fail(format, args...)
	}
}

func (t *T) equal(what string, got, want any) {
	t.check(reflect.DeepEqual(got, want), "%s: got %#v, want %#v", what, got, want)
}

// must unwraps a result; its error fails the story.
func must[V any](v V, err error) V {
	if err != nil {
		panic(failed(err.Error()))
	}
	return v
}

// next receives from c within the waiting deadline.
func next[V any](t *T, what string, c <-chan V) V {
	select {
	case v := <-c:
		return v
	case <-time.After(waitDeadline):
		t.fail("no %s within %v", what, waitDeadline)
		panic("unreachable")
	}
}

// until polls probe until it holds.
func (t *T) until(what string, probe func() bool) {
	for end := time.Now().Add(waitDeadline); !probe(); time.Sleep(20 * time.Millisecond) {
		t.check(time.Now().Before(end), "not within %v: %s", waitDeadline, what)
	}
}

// refused checks that err is the broker's refusal with this code and reason.
func (t *T) refused(err error, code int, reason string) {
	var e *amqp.Error
	t.check(errors.As(err, &e), "want %d %s, got %v", code, reason, err)
	t.check(e.Code == code && strings.Contains(e.Reason, reason), "want %d %s, got %d %s", code, reason, e.Code, e.Reason)
}

func unique(what string) string {
	b := make([]byte, 6)
	rand.Read(b)
	return "conformance-" + what + "-" + hex.EncodeToString(b)
}

func env(name string) string {
	value := os.Getenv(name)
	if value == "" {
		panic(failed(name + " is not set"))
	}
	return value
}

func brokerURL() *url.URL { return must(url.Parse(env("AMQP_URL"))) }

func vhost() string {
	if name := strings.TrimPrefix(brokerURL().Path, "/"); name != "" {
		return name
	}
	return "/"
}

func (t *T) dial(url string, config amqp.Config) *amqp.Connection {
	config.Locale = "en_US"
	conn := must(amqp.DialConfig(url, config))
	t.conns = append(t.conns, conn)
	return conn
}

func (t *T) connect() *amqp.Connection { return t.dial(env("AMQP_URL"), amqp.Config{}) }

// channel opens a channel on the story's first connection.
func (t *T) channel() *amqp.Channel {
	if len(t.conns) == 0 {
		t.connect()
	}
	return must(t.conns[0].Channel())
}

func (t *T) confirming() *amqp.Channel {
	ch := t.channel()
	t.ok(ch.Confirm(false))
	return ch
}

func (t *T) queueName() string {
	t.queues = append(t.queues, unique("queue"))
	return t.queues[len(t.queues)-1]
}

func (t *T) queue(ch *amqp.Channel, args amqp.Table) string {
	return must(ch.QueueDeclare(t.queueName(), true, false, false, false, args)).Name
}

func (t *T) exchange(ch *amqp.Channel, kind string) string {
	name := unique("exchange")
	t.exchanges = append(t.exchanges, name)
	t.ok(ch.ExchangeDeclare(name, kind, true, false, false, false, nil))
	return name
}

func (t *T) tidy() {
	for _, end := range slices.Backward(t.endings) {
		end()
	}
	for _, conn := range t.conns {
		conn.CloseDeadline(time.Now().Add(2 * time.Second))
	}
	if len(t.queues)+len(t.exchanges) == 0 {
		return
	}
	conn := must(amqp.Dial(env("AMQP_URL")))
	defer conn.Close()
	ch := must(conn.Channel())
	for _, name := range t.queues {
		must(ch.QueueDelete(name, false, false, false))
	}
	for _, name := range t.exchanges {
		t.ok(ch.ExchangeDelete(name, false, false))
	}
}

// proxy sends one command (freeze, thaw, cut) to the test proxy.
func (t *T) proxy(command string) {
	conn := must(net.DialTimeout("tcp", env("PROXY_CONTROL"), waitDeadline))
	defer conn.Close()
	t.ok(conn.SetDeadline(time.Now().Add(waitDeadline)))
	must(fmt.Fprintln(conn, command))
	t.equal("the proxy's answer", must(bufio.NewReader(conn).ReadString('\n')), "ok\n")
}

// attempt runs f within deadline and returns why it failed, "" if it did not.
func attempt(deadline time.Duration, f func()) string {
	done := make(chan string, 1)
	go func() {
		defer func() {
			switch r := recover().(type) {
			case nil:
				done <- ""
			case failed:
				if os.Getenv("CONFORMANCE_TRACE") != "" {
					debug.PrintStack()
				}
				done <- string(r)
			default:
				done <- fmt.Sprint("panic: ", r)
			}
		}()
		f()
	}()
	select {
	case reason := <-done:
		return strings.Join(strings.Fields(reason), " ")
	case <-time.After(deadline):
		return fmt.Sprintf("not finished within %v", deadline)
	}
}

func main() {
	wanted := os.Args[1:]
	passed, failures := 0, 0
	report := func(name, reason string) {
		if reason == "" {
			passed++
			fmt.Println("ok", name)
		} else {
			failures++
			fmt.Printf("FAIL %s: %s\n", name, reason)
		}
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(stories, func(s story) bool { return s.name == name }) {
			report(name, "no such story")
		}
	}
	for _, s := range stories {
		if len(wanted) > 0 && !slices.Contains(wanted, s.name) {
			continue
		}
		t := &T{}
		if s.deadline == 0 {
			s.deadline = storyDeadline
		}
		reason := attempt(s.deadline, func() { s.body(t) })
		if untidy := attempt(s.deadline, t.tidy); reason == "" && untidy != "" {
			reason = "tidying up: " + untidy
		}
		report(s.name, reason)
	}
	fmt.Printf("%d passed, %d failed\n", passed, failures)
	if failures > 0 {
		os.Exit(1)
	}
}
