// swift-tools-version: 6.2
import PackageDescription

/// Every target of ours is compiled with strict memory safety: what is unsafe says so, where it stands.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
]
/// Tests: the macros of Swift Testing trip strict memory safety.
let relaxed: [SwiftSetting] = [.treatAllWarnings(as: .error)]

let package = Package(
    name: "the-eye",
    products: [
        .executable(name: "eye", targets: ["eye"]),
        .library(name: "EyeClient", targets: ["EyeClient"]),
    ],
    targets: [
        .target(name: "CEyeScan"),
        .target(name: "EyeWire", dependencies: ["CEyeScan"], swiftSettings: strict),
        .target(name: "CEyeLinux", linkerSettings: [.linkedLibrary("crypt")]),
        .target(name: "EyeSystem", dependencies: ["CEyeLinux"], swiftSettings: strict),
        .target(name: "EyeStore", dependencies: ["EyeSystem"], swiftSettings: strict),
        .target(name: "EyeClient", dependencies: ["EyeWire", "EyeSystem"], swiftSettings: strict),
        .target(name: "EyeServer", dependencies: ["EyeWire", "EyeSystem", "EyeStore"], swiftSettings: strict),
        .target(
            name: "EyeQueryHTTP", dependencies: ["EyeWire", "EyeSystem", "EyeStore", "EyeClient"],
            resources: [.embedInCode("openapi.json")], swiftSettings: strict),
        .executableTarget(
            name: "eye",
            dependencies: ["EyeWire", "EyeSystem", "EyeStore", "EyeServer", "EyeQueryHTTP", "EyeClient"],
            swiftSettings: strict,
            linkerSettings: [.unsafeFlags(["-static-stdlib"])]),
        .executableTarget(
            name: "eye-echo", dependencies: ["EyeQueryHTTP", "EyeSystem"], path: "Tests/EyeEcho", swiftSettings: strict),
        .target(
            name: "EyeTestVectors", dependencies: ["EyeSystem"], path: "Tests/EyeTestVectors", swiftSettings: relaxed),
        .testTarget(
            name: "EyeWireTests", dependencies: ["EyeWire", "CEyeScan", "EyeTestVectors"], swiftSettings: relaxed),
        .testTarget(
            name: "EyeSystemTests", dependencies: ["EyeSystem", "EyeTestVectors"], swiftSettings: relaxed),
        .testTarget(
            name: "EyeStoreTests", dependencies: ["EyeStore", "EyeQueryHTTP", "EyeTestVectors", "EyeSystem"],
            swiftSettings: relaxed),
        .testTarget(
            name: "EyeClientTests", dependencies: ["EyeClient", "EyeTestVectors", "EyeSystem", "EyeWire"],
            swiftSettings: relaxed),
        .testTarget(
            name: "EyeServerTests", dependencies: ["EyeServer", "EyeTestVectors", "EyeStore", "EyeSystem", "EyeWire"],
            swiftSettings: relaxed),
        .testTarget(
            name: "EyeQueryHTTPTests",
            dependencies: ["EyeQueryHTTP", "EyeTestVectors", "EyeStore", "EyeSystem", "EyeWire"], swiftSettings: relaxed
        ),
        .testTarget(
            name: "EyeTests", dependencies: ["EyeWire", "EyeSystem", "EyeStore", "EyeTestVectors", "EyeClient"],
            swiftSettings: relaxed),
    ]
)
