// Ends spans at a steady rate until its standard input ends, then shuts the SDK down and prints what became of them.
//
// go-client URL RATE: the base URL of the receiver, spans a second.
package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

func main() {
	ctx := context.Background()
	rate, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	var lock sync.Mutex
	failures := []string{}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		lock.Lock()
		defer lock.Unlock()
		failures = append(failures, err.Error())
	}))
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(os.Args[1]+"/v1/traces"))
	if err != nil {
		panic(err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter, sdk.WithBatchTimeout(50*time.Millisecond)))
	tracer := provider.Tracer("restart")

	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	count := 0
	for running := true; running; {
		select {
		case <-ended:
			running = false
		case <-ticker.C:
			_, span := tracer.Start(ctx, "work")
			span.End()
			count++
		}
	}
	if err := provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
	lock.Lock()
	defer lock.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"ended": count, "failures": failures})
}
