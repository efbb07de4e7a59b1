@main
struct Eye {
    static func main() {}
}
