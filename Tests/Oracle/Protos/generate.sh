#!/bin/sh
# Writes ../*.pb.swift. Needs protoc and protoc-gen-swift (swift build -c release --product protoc-gen-swift in
# .build/checkouts/swift-protobuf) in PATH.
set -e
cd "$(dirname "$0")"
protoc --swift_out=.. --swift_opt=Visibility=Package,FileNaming=DropPath,UseAccessLevelOnImports=true *.proto
for file in ../*.pb.swift; do
    { echo "// swift-format-ignore-file"; echo "// By Protos/generate.sh."; cat "$file"; } > "$file.new"
    mv "$file.new" "$file"
done
