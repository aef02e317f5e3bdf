// swift-tools-version: 6.2
import PackageDescription

// The architecture, readable top to bottom: a target may import only what stands above it.
// SwiftPM does not enforce that; `ArchitectureTests` does.

// `make fuzz` hunts: what it covers is compiled with libFuzzer's counters, and open to the targets of Tests/Fuzz.
let isFuzzing = Context.environment["MILLRACE_FUZZ"] != nil
let covered: [SwiftSetting] = isFuzzing ? [.unsafeFlags(["-sanitize=fuzzer", "-enable-testing"])] : []

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

func layer(_ name: String, on dependencies: Target.Dependency...) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict + covered)
}

func tests(_ name: String, on dependencies: Target.Dependency..., exclude: [String] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: dependencies + ["TestKit"],
        exclude: exclude,
        swiftSettings: strict
    )
}

func nio(_ product: String) -> Target.Dependency { .product(name: product, package: "swift-nio") }
let http2: Target.Dependency = .product(name: "NIOHTTP2", package: "swift-nio-http2")
let hpack: Target.Dependency = .product(name: "NIOHPACK", package: "swift-nio-http2")
let tls: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")

// `MILLRACE_BENCHMARKS=1 swift run -c release Benchmarks` prints what each step costs; `make bench-micro` counts its instructions.
let benchmarks: [Target] =
    Context.environment["MILLRACE_BENCHMARKS"] == nil
    ? []
    : [
        .executableTarget(
            name: "Benchmarks",
            dependencies: [
                "Basics", "OTLP", "Journal", "HTTPClient", "MLflow", "Pipeline", "Receivers", "Processors",
                "Exporters", "Oracle",
                "TestKit", protobuf, logging,
            ],
            path: "Tests/Benchmarks",
            swiftSettings: strict
        )
    ]

let fuzzing: [Target] =
    isFuzzing
    ? [
        .target(name: "CFuzz", path: "Tests/Fuzz/C"),
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "Basics", "OTLP", "Pipeline", "NATS", "Receivers", "Oracle", "CFuzz", "CZlib",
                nio("NIOCore"), nio("NIOEmbedded"), nio("NIOHTTP1"), protobuf, logging,
            ],
            path: "Tests/Fuzz",
            exclude: ["C", "Corpus", "README.md", "keep.py", "seeds.py"],
            swiftSettings: strict,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])]
        ),
    ] : []

let package = Package(
    name: "millrace",
    products: [.executable(name: "millrace", targets: ["Millrace"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", exact: "1.44.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.2"),
        .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CDeflate", pkgConfig: "libdeflate", providers: [.apt(["libdeflate-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "CMachine"),
        // Programs that a command starts.
        .target(name: "CChild"),
        // C++ behind a C header; RE2 itself is Debian's libre2-dev.
        .target(name: "CRE2", linkerSettings: [.linkedLibrary("re2")]),
        .target(name: "CEmbedded", exclude: ["rules", "console", "presets"]),
        layer("Basics", on: "CMachine", "COpenSSL"),
        layer("OTLP", on: "Basics"),
        layer("Journal", on: "Basics", logging),
        layer("Settings", on: "Basics"),
        layer("HTTPClient", on: "Basics", "CCurl"),
        layer("Conditions", on: "Basics", "OTLP", "Settings", "CRE2"),
        layer("MLflow", on: "Basics", "OTLP", "Settings", "Conditions", "CEmbedded"),
        layer("Pipeline", on: "Basics", "OTLP", "Journal", "Settings", "Conditions", logging),
        layer("TLS", on: "Basics", "Settings", "Pipeline", tls, nio("NIOCore"), nio("NIOTLS"), logging),
        layer("NATS", on: "Basics", "Settings", "COpenSSL", tls, nio("NIOCore"), nio("NIOPosix"), logging),
        layer(
            "Receivers",
            on: "Basics",
            "OTLP",
            "Settings",
            "Conditions",
            "Pipeline",
            "TLS",
            "NATS",
            "CZlib",
            "CZstd",
            nio("NIOCore"),
            nio("NIOPosix"),
            nio("NIOHTTP1"),
            http2,
            hpack,
            logging
        ),
        layer("Processors", on: "Basics", "OTLP", "Settings", "Conditions", "MLflow", "Pipeline"),
        layer(
            "Exporters",
            on: "Basics",
            "OTLP",
            "Journal",
            "Settings",
            "Conditions",
            "HTTPClient",
            "MLflow",
            "Pipeline",
            "NATS",
            "CDeflate",
            "CZstd",
            logging
        ),
        layer(
            "Admin",
            on: "Basics",
            "Pipeline",
            "TLS",
            "CEmbedded",
            nio("NIOCore"),
            nio("NIOPosix"),
            nio("NIOHTTP1"),
            logging
        ),
        layer(
            "Configuration",
            on: "Basics",
            "OTLP",
            "Journal",
            "Settings",
            "Conditions",
            "MLflow",
            "Pipeline",
            "NATS",
            "Receivers",
            "Processors",
            "Exporters",
            "Admin",
            "TLS",
            "CEmbedded",
            logging
        ),
        .executableTarget(
            name: "Millrace",
            dependencies: [
                "Basics", "OTLP", "Configuration", "Admin", "HTTPClient", "Journal", "Pipeline", "Settings", "CChild",
                arguments, lifecycle, unixSignals, logging,
            ],
            swiftSettings: strict
        ),

        .target(
            name: "TestKit",
            dependencies: ["Basics", "OTLP", "Journal", "Pipeline", logging],
            path: "Tests/TestKit",
            swiftSettings: strict
        ),
        .target(
            name: "Oracle",
            dependencies: [protobuf],
            path: "Tests/Oracle",
            exclude: ["Protos"],
            swiftSettings: strict
        ),
        tests("Basics", on: "Basics"),
        tests("OTLP", on: "Basics", "OTLP", "Oracle", protobuf),
        tests("Journal", on: "Basics", "Journal", logging),
        tests("Settings", on: "Basics", "Settings"),
        tests("HTTPClient", on: "Basics", "HTTPClient"),
        tests("Conditions", on: "Basics", "OTLP", "Conditions"),
        tests("MLflow", on: "Basics", "OTLP", "Settings", "Conditions", "MLflow", exclude: ["Emitters", "Golden"]),
        tests("Processors", on: "Basics", "OTLP", "Settings", "Conditions", "MLflow", "Pipeline", "Processors"),
        tests("Pipeline", on: "Basics", "OTLP", "Journal", "Pipeline", logging),
        tests("NATS", on: "Basics", "NATS", nio("NIOCore"), nio("NIOPosix"), logging),
        tests("TLS", on: "Basics", "Pipeline", "TLS", tls, logging),
        tests(
            "Receivers",
            on: "Basics",
            "OTLP",
            "Pipeline",
            "NATS",
            "Receivers",
            "Admin",
            "CZlib",
            "CZstd",
            nio("NIOEmbedded"),
            http2,
            hpack,
            logging
        ),
        tests(
            "Exporters",
            on: "Basics",
            "OTLP",
            "Settings",
            "HTTPClient",
            "MLflow",
            "Pipeline",
            "Exporters",
            "CZlib",
            "CZstd",
            logging
        ),
        tests("Admin", on: "Basics", "Admin", logging),
        tests(
            "Configuration",
            on: "Basics",
            "OTLP",
            "Journal",
            "Settings",
            "MLflow",
            "Pipeline",
            "Configuration",
            "Exporters",
            logging
        ),
        tests("Millrace", on: "Basics", "Configuration", "Admin", "Journal", "Millrace", logging),
        tests("Architecture"),
    ] + benchmarks + fuzzing,
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
