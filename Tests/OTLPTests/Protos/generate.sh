#!/bin/sh
# Writes ../Oracle/*.pb.swift. Needs protoc and protoc-gen-swift (swift build -c release --product protoc-gen-swift in
# .build/checkouts/swift-protobuf) in PATH.
set -e
cd "$(dirname "$0")"
mkdir -p ../Oracle
protoc --swift_out=../Oracle --swift_opt=Visibility=Internal,FileNaming=DropPath *.proto
for file in ../Oracle/*.pb.swift; do
    { echo "// swift-format-ignore-file"; echo "// By Protos/generate.sh."; cat "$file"; } > "$file.new"
    mv "$file.new" "$file"
done
