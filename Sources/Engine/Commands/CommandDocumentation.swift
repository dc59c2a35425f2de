/// What COMMAND DOCS says about the commands that are built: one row a line, read at first use.
///
/// Columns, between ` :: `: name, first version of Redis that has the command, complexity, arguments (in
/// the notation of `CommandArgument`), summary, and for some `syscmd` (internal), or the version since
/// which the command is deprecated and what replaces it. Lines with `#` name the group.
public struct CommandDocumentation: Sendable {
    public let since: String
    /// Empty where it says nothing.
    public let complexity: String
    public let syntax: String
    public let summary: String
    public let deprecatedSince: String?
    public let replacedBy: String?
    /// For the server's own use.
    public let isInternal: Bool

    /// By the command's full name.
    public static let all: [String: CommandDocumentation] = {
        var result: [String: CommandDocumentation] = [:]
        for line in table.split(separator: "\n") where !line.hasPrefix("#") {
            let columns = separated(line)
            precondition(columns.count >= 5, "bad documentation row: \(line)")
            let name = columns[0]
            let replacement = columns.count == 7
            let previous = result.updateValue(
                CommandDocumentation(
                    since: columns[1], complexity: columns[2], syntax: columns[3],
                    summary: columns[4],
                    deprecatedSince: replacement ? columns[5] : nil,
                    replacedBy: replacement ? columns[6] : nil,
                    isInternal: columns.count == 6),
                forKey: name)
            precondition(previous == nil, "documented twice: \(name)")
        }
        return result
    }()

    public var arguments: [CommandArgument] { CommandArgument.parse(syntax) }

    /// The columns of a row; one may be empty.
    private static func separated(_ line: Substring) -> [String] {
        var columns: [String] = []
        var current = ""
        for word in line.split(separator: " ", omittingEmptySubsequences: true) {
            if word == "::" {
                columns.append(current)
                current = ""
            } else {
                current += current.isEmpty ? "" : " "
                current += word
            }
        }
        return columns + [current]
    }

    private static let table = """
        # string
        append :: 2.0.0 :: O(1) :: key:key0 value :: Adds bytes to the end of a string; a missing key starts as an empty one.
        decr :: 1.0.0 :: O(1) :: key:key0 :: Takes one from the integer in a key; a missing key counts as 0.
        decrby :: 1.0.0 :: O(1) :: key:key0 decrement:integer :: Takes a number from the integer in a key; a missing key counts as 0.
        get :: 1.0.0 :: O(1) :: key:key0 :: Returns the string in a key.
        getdel :: 6.2.0 :: O(1) :: key:key0 :: Returns the string in a key and deletes the key.
        getex :: 6.2.0 :: O(1) :: key:key0 expiration:[EX=seconds:integer|PX=milliseconds:integer|EXAT=unix-time-seconds:unix-time|PXAT=unix-time-milliseconds:unix-time|PERSIST] :: Returns the string in a key and sets or removes its deadline.
        getrange :: 2.4.0 :: O(N), N being the length of the part returned :: key:key0 start:integer end:integer :: Returns a part of the string in a key.
        getset :: 1.0.0 :: O(1) :: key:key0 value :: Stores a string in a key and returns the one that was there. :: 6.2.0 :: `SET` with the `GET` argument
        incr :: 1.0.0 :: O(1) :: key:key0 :: Adds one to the integer in a key; a missing key counts as 0.
        incrby :: 1.0.0 :: O(1) :: key:key0 increment:integer :: Adds a number to the integer in a key; a missing key counts as 0.
        incrbyfloat :: 2.6.0 :: O(1) :: key:key0 increment:double :: Adds a number with a fraction to the number in a key; a missing key counts as 0.
        lcs :: 7.0.0 :: O(N*M), N and M being the lengths of the two strings :: key1:key0 key2:key0 [LEN] [IDX] [MINMATCHLEN=len:integer] [WITHMATCHLEN] :: Finds the longest common subsequence of two strings.
        mget :: 1.0.0 :: O(N), N being the number of keys :: key:key0* :: Returns the strings in several keys.
        mset :: 1.0.1 :: O(N), N being the number of keys :: key_value:(key:key0 value)* :: Stores strings in several keys at once.
        msetnx :: 1.0.1 :: O(N), N being the number of keys :: key_value:(key:key0 value)* :: Stores strings in several keys at once, provided that none of them exists.
        psetex :: 2.6.0 :: O(1) :: key:key0 milliseconds:integer value :: Stores a string in a key that expires after some milliseconds. :: 2.6.12 :: `SET` with the `PX` argument
        set :: 1.0.0 :: O(1) :: key:key0 value condition:[NX|XX]@2.6.12 [GET@6.2.0] expiration:[EX=seconds:integer@2.6.12|PX=milliseconds:integer@2.6.12|EXAT=unix-time-seconds:unix-time@6.2.0|PXAT=unix-time-milliseconds:unix-time@6.2.0|KEEPTTL@6.0.0] :: Stores a string in a key, whatever was there, on conditions and with a deadline if asked.
        setex :: 2.0.0 :: O(1) :: key:key0 seconds:integer value :: Stores a string in a key that expires after some seconds. :: 2.6.12 :: `SET` with the `EX` argument
        setnx :: 1.0.0 :: O(1) :: key:key0 value :: Stores a string in a key that doesn't exist yet. :: 2.6.12 :: `SET` with the `NX` argument
        setrange :: 2.2.0 :: O(M), M being the length of the value :: key:key0 offset:integer value :: Overwrites a part of a string, padding it with zero bytes where needed.
        strlen :: 2.2.0 :: O(1) :: key:key0 :: Returns the length of the string in a key in bytes.
        substr :: 1.0.0 :: O(N), N being the length of the part returned :: key:key0 start:integer end:integer :: Returns a part of the string in a key. :: 2.0.0 :: `GETRANGE`
        # bitmap
        bitcount :: 2.6.0 :: O(N) :: key:key0 index:[start:integer end:integer index_unit:[BYTE|BIT]@7.0.0] :: Counts the bits that are set in a string or in a part of it.
        bitfield :: 3.2.0 :: O(1) for each operation :: key:key0 operation:[GET=encoding_offset:(encoding offset:integer)|write:(OVERFLOW=wrap_sat_fail:[WRAP|SAT|FAIL] write_operation:(SET=encoding_offset_value:(encoding offset:integer value:integer)|INCRBY=encoding_offset_increment:(encoding offset:integer increment:integer)))]* :: Reads and changes integers of any width at bit positions of a string.
        bitfield_ro :: 6.0.0 :: O(1) for each operation :: key:key0 GET=encoding_offset:[encoding offset:integer]** :: Reads integers of any width at bit positions of a string.
        bitop :: 2.6.0 :: O(N), N being the length of the longest string :: operation:(AND|OR|XOR|NOT) destkey:key0 key:key1* :: Combines strings bit by bit and stores the result in a key.
        bitpos :: 2.8.7 :: O(N) :: key:key0 bit:integer index:[start:integer end_index:[end:integer index_unit:[BYTE|BIT]@7.0.0]] :: Finds the first bit that is set, or clear, in a string.
        getbit :: 2.2.0 :: O(1) :: key:key0 offset:integer :: Returns the bit at an offset of a string.
        setbit :: 2.2.0 :: O(1) :: key:key0 offset:integer value:integer :: Sets or clears the bit at an offset of a string and returns what it was.
        # set
        sadd :: 1.0.0 :: O(1) for each member added :: key:key0 member* :: Adds members to a set.
        scard :: 1.0.0 :: O(1) :: key:key0 :: Returns the number of members of a set.
        sdiff :: 1.0.0 :: O(N), N being the number of members of all sets :: key:key0* :: Returns the members of the first set that no other set has.
        sdiffstore :: 1.0.0 :: O(N), N being the number of members of all sets :: destination:key0 key:key1* :: Stores the members of the first set that no other set has.
        sinter :: 1.0.0 :: O(N*M), N being the number of members of the smallest set and M the number of sets :: key:key0* :: Returns the members that all sets have.
        sintercard :: 7.0.0 :: O(N*M), N being the number of members of the smallest set and M the number of sets :: numkeys:integer key:key0* [LIMIT=limit:integer] :: Returns how many members all sets have, counting up to a limit.
        sinterstore :: 1.0.0 :: O(N*M), N being the number of members of the smallest set and M the number of sets :: destination:key0 key:key1* :: Stores the members that all sets have.
        sismember :: 1.0.0 :: O(1) :: key:key0 member :: Tells whether a set has a member.
        smembers :: 1.0.0 :: O(N), N being the number of members :: key:key0 :: Returns all members of a set.
        smismember :: 6.2.0 :: O(N), N being the number of members asked for :: key:key0 member* :: Tells of several members whether a set has them.
        smove :: 1.0.0 :: O(1) :: source:key0 destination:key1 member :: Moves a member from one set to another.
        spop :: 1.0.0 :: O(1), or O(N) for N members :: key:key0 [count:integer@3.2.0] :: Removes members chosen at random and returns them.
        srandmember :: 1.0.0 :: O(1), or O(N) for N members :: key:key0 [count:integer@2.6.0] :: Returns members chosen at random.
        srem :: 1.0.0 :: O(N), N being the number of members to remove :: key:key0 member* :: Removes members from a set.
        sscan :: 2.8.0 :: O(1) for a call, O(N) for a whole pass over N members :: key:key0 cursor:integer [MATCH=pattern:pattern] [COUNT=count:integer] :: Walks over the members of a set step by step.
        sunion :: 1.0.0 :: O(N), N being the number of members of all sets :: key:key0* :: Returns the members that any of the sets has.
        sunionstore :: 1.0.0 :: O(N), N being the number of members of all sets :: destination:key0 key:key1* :: Stores the members that any of the sets has.

        # hash
        hdel :: 2.0.0 :: O(N), N being the number of fields to remove :: key:key0 field* :: Removes fields from a hash, and the key with the last one.
        hexists :: 2.0.0 :: O(1) :: key:key0 field :: Tells whether a hash has a field.
        hexpire :: 7.4.0 :: O(N), N being the number of fields :: key:key0 seconds:integer condition:[NX|XX|GT|LT] FIELDS=fields:(numfields:integer field*) :: Lets fields of a hash expire after some seconds.
        hexpireat :: 7.4.0 :: O(N), N being the number of fields :: key:key0 unix-time-seconds:unix-time condition:[NX|XX|GT|LT] FIELDS=fields:(numfields:integer field*) :: Lets fields of a hash expire at a Unix time in seconds.
        hexpiretime :: 7.4.0 :: O(N), N being the number of fields :: key:key0 FIELDS=fields:(numfields:integer field*) :: Returns when fields of a hash expire, as Unix times in seconds.
        hget :: 2.0.0 :: O(1) :: key:key0 field :: Returns the value of a field.
        hgetall :: 2.0.0 :: O(N), N being the size of the hash :: key:key0 :: Returns all fields of a hash with their values.
        hincrby :: 2.0.0 :: O(1) :: key:key0 field increment:integer :: Adds a number to the integer in a field; a missing field counts as 0.
        hincrbyfloat :: 2.6.0 :: O(1) :: key:key0 field increment:double :: Adds a number with a fraction to the number in a field; a missing field counts as 0.
        hkeys :: 2.0.0 :: O(N), N being the size of the hash :: key:key0 :: Returns the names of all fields of a hash.
        hlen :: 2.0.0 :: O(1) :: key:key0 :: Returns the number of fields of a hash.
        hmget :: 2.0.0 :: O(N), N being the number of fields asked for :: key:key0 field* :: Returns the values of several fields.
        hmset :: 2.0.0 :: O(N), N being the number of fields set :: key:key0 field_value:(field value)* :: Sets several fields of a hash. :: 4.0.0 :: `HSET` with multiple field-value pairs
        hpersist :: 7.4.0 :: O(N), N being the number of fields :: key:key0 FIELDS=fields:(numfields:integer field*) :: Removes the deadlines of fields.
        hpexpire :: 7.4.0 :: O(N), N being the number of fields :: key:key0 milliseconds:integer condition:[NX|XX|GT|LT] FIELDS=fields:(numfields:integer field*) :: Lets fields of a hash expire after some milliseconds.
        hpexpireat :: 7.4.0 :: O(N), N being the number of fields :: key:key0 unix-time-milliseconds:unix-time condition:[NX|XX|GT|LT] FIELDS=fields:(numfields:integer field*) :: Lets fields of a hash expire at a Unix time in milliseconds.
        hpexpiretime :: 7.4.0 :: O(N), N being the number of fields :: key:key0 FIELDS=fields:(numfields:integer field*) :: Returns when fields of a hash expire, as Unix times in milliseconds.
        hpttl :: 7.4.0 :: O(N), N being the number of fields :: key:key0 FIELDS=fields:(numfields:integer field*) :: Returns how many milliseconds fields of a hash have left.
        hrandfield :: 6.2.0 :: O(N), N being the number of fields returned :: key:key0 options:[count:integer [WITHVALUES]] :: Returns fields chosen at random.
        hscan :: 2.8.0 :: O(1) for a call, O(N) for a whole pass over N fields :: key:key0 cursor:integer [MATCH=pattern:pattern] [COUNT=count:integer] :: Walks over the fields of a hash step by step.
        hset :: 2.0.0 :: O(1) for each field :: key:key0 field_value:(field value)* :: Sets fields of a hash.
        hsetnx :: 2.0.0 :: O(1) :: key:key0 field value :: Sets a field of a hash unless it is there.
        hstrlen :: 3.2.0 :: O(1) :: key:key0 field :: Returns the length of a field's value.
        httl :: 7.4.0 :: O(N), N being the number of fields :: key:key0 FIELDS=fields:(numfields:integer field*) :: Returns how many seconds fields of a hash have left.
        hvals :: 2.0.0 :: O(N), N being the size of the hash :: key:key0 :: Returns the values of all fields of a hash.

        # hyperloglog
        pfadd :: 2.8.9 :: O(1) for each element :: key:key0 [element*] :: Adds elements to a HyperLogLog and tells whether its estimate may have changed.
        pfcount :: 2.8.9 :: O(1) for one key with a small constant, O(N) with large ones for N keys :: key:key0* :: Estimates how many different elements were added to a HyperLogLog, or to any of several.
        pfdebug :: 2.8.9 :: O(N), N being the number of registers :: subcommand key:key0 :: Shows the inside of a HyperLogLog. :: syscmd
        pfmerge :: 2.8.9 :: O(N), N being the number of keys :: destkey:key0 [sourcekey:key1*] :: Merges HyperLogLogs into one.
        pfselftest :: 2.8.9 :: O(1) ::  :: Checks that HyperLogLogs work. :: syscmd
        # generic
        copy :: 6.2.0 :: O(N), N being the number of elements; O(1) for a string :: source:key0 destination:key1 [DB=destination-db:integer] [REPLACE] :: Copies a value to another key, also of another database.
        del :: 1.0.0 :: O(N), N being the number of keys, plus the number of elements that each holds :: key:key0* :: Deletes keys.
        exists :: 1.0.0 :: O(N), N being the number of keys :: key:key0* :: Counts how many of the keys exist.
        expire :: 1.0.0 :: O(1) :: key:key0 seconds:integer condition:[NX|XX|GT|LT]@7.0.0 :: Lets a key expire after some seconds.
        expireat :: 1.2.0 :: O(1) :: key:key0 unix-time-seconds:unix-time condition:[NX|XX|GT|LT]@7.0.0 :: Lets a key expire at a Unix time in seconds.
        expiretime :: 7.0.0 :: O(1) :: key:key0 :: Returns the Unix time in seconds at which a key will expire.
        keys :: 1.0.0 :: O(N), N being the number of keys in the database :: pattern:pattern :: Returns all keys that match a pattern.
        migrate :: 2.6.0 :: As DUMP and DEL here and RESTORE there, and O(N) for what goes over the network :: host port:integer key-selector:(key:key0|empty-string!"") destination-db:integer timeout:integer [COPY@3.0.0] [REPLACE@3.0.0] authentication:[[AUTH=auth@4.0.7]|[AUTH2=auth2:(username password)@6.0.0]] [KEYS=keys:key1*@3.0.6] :: Moves keys to another server.
        move :: 1.0.0 :: O(1) :: key:key0 db:integer :: Moves a key to another database.
        object :: 2.2.3 :: Depends on the subcommand ::  :: Tells how a value is kept in memory.
        object|encoding :: 2.2.3 :: O(1) :: key:key0 :: Returns the name of a value's encoding in memory.
        object|freq :: 4.0.0 :: O(1) :: key:key0 :: Returns how often a key is used, as the LFU policies count it.
        object|help :: 6.2.0 :: O(1) ::  :: Lists the subcommands.
        object|idletime :: 2.2.3 :: O(1) :: key:key0 :: Returns the seconds since a key was last used.
        object|refcount :: 2.2.3 :: O(1) :: key:key0 :: Returns how many references a value has.
        persist :: 2.2.0 :: O(1) :: key:key0 :: Removes the deadline of a key.
        pexpire :: 2.6.0 :: O(1) :: key:key0 milliseconds:integer condition:[NX|XX|GT|LT]@7.0.0 :: Lets a key expire after some milliseconds.
        pexpireat :: 2.6.0 :: O(1) :: key:key0 unix-time-milliseconds:unix-time condition:[NX|XX|GT|LT]@7.0.0 :: Lets a key expire at a Unix time in milliseconds.
        pexpiretime :: 7.0.0 :: O(1) :: key:key0 :: Returns the Unix time in milliseconds at which a key will expire.
        pttl :: 2.6.0 :: O(1) :: key:key0 :: Returns how many milliseconds are left until a key expires.
        randomkey :: 1.0.0 :: O(1) ::  :: Returns a key picked at random.
        rename :: 1.0.0 :: O(1) :: key:key0 newkey:key1 :: Renames a key, replacing what the new name held.
        renamenx :: 1.0.0 :: O(1) :: key:key0 newkey:key1 :: Renames a key, provided that the new name is free.
        scan :: 2.8.0 :: O(1) for a call, O(N) for a whole pass over N keys :: cursor:integer [MATCH=pattern:pattern] [COUNT=count:integer] [TYPE=type@6.0.0] :: Walks over the keys of the database step by step.
        sort :: 1.0.0 :: O(N+M*log(M)), N being the number of elements and M the number returned :: key:key0 [BY=by-pattern:pattern] [LIMIT=limit:(offset:integer count:integer)] [GET=get-pattern:pattern**] order:[ASC|DESC] [sorting!ALPHA] [STORE=destination:key2] :: Sorts the elements of a list, a set or a sorted set, and returns or stores them.
        sort_ro :: 7.0.0 :: O(N+M*log(M)), N being the number of elements and M the number returned :: key:key0 [BY=by-pattern:pattern] [LIMIT=limit:(offset:integer count:integer)] [GET=get-pattern:pattern**] order:[ASC|DESC] [sorting!ALPHA] :: Sorts the elements of a list, a set or a sorted set.
        touch :: 3.2.1 :: O(N), N being the number of keys :: key:key0* :: Counts how many of the keys exist and marks them as used.
        dump :: 2.6.0 :: O(N*M), N being the number of parts of the value and M their average size :: key:key0 :: Returns the value of a key in a form that RESTORE takes.
        restore :: 2.6.0 :: O(N*M), N being the number of parts of the value and M their average size; O(log N) more for each member of a sorted set :: key:key0 ttl:integer serialized-value [REPLACE@3.0.0] [ABSTTL@5.0.0] [IDLETIME=seconds:integer@5.0.0] [FREQ=frequency:integer@5.0.0] :: Makes a key of what DUMP returned.
        restore-asking :: 3.0.0 :: O(N*M), N being the number of parts of the value and M their average size; O(log N) more for each member of a sorted set :: key:key0 ttl:integer serialized-value [REPLACE@3.0.0] [ABSTTL@5.0.0] [IDLETIME=seconds:integer@5.0.0] [FREQ=frequency:integer@5.0.0] :: As RESTORE, for a cluster that moves keys.
        ttl :: 1.0.0 :: O(1) :: key:key0 :: Returns how many seconds are left until a key expires.
        type :: 1.0.0 :: O(1) :: key:key0 :: Returns the type of the value in a key.
        unlink :: 4.0.0 :: O(1) for each key; memory is freed later :: key:key0* :: Deletes keys and frees their memory later.
        # stream
        xack :: 5.0.0 :: O(1) for each ID :: key:key0 group id* :: Marks entries that a group has given out as done.
        xadd :: 5.0.0 :: O(1); trimming is O(N), N being the number of entries deleted :: key:key0 [NOMKSTREAM@6.2.0] trim:[strategy:(MAXLEN|MINID@6.2.0) operator:[equal!=|approximately!~] threshold [LIMIT=count:integer@6.2.0]] id_or_auto:(auto_id!*|id) field_value:(field value)* :: Adds an entry to a stream; a missing key starts as an empty one.
        xautoclaim :: 6.2.0 :: O(1) for a small count :: key:key0 group consumer min-idle-time start [COUNT=count:integer] [JUSTID] :: Gives a consumer the entries that were pending too long, whoever had them.
        xclaim :: 5.0.0 :: O(log N), N being the number of entries pending in the group :: key:key0 group consumer min-idle-time id* [IDLE=ms:integer] [TIME=unix-time-milliseconds:unix-time] [RETRYCOUNT=count:integer] [FORCE] [JUSTID] [LASTID=id] :: Gives a consumer pending entries of another.
        xdel :: 5.0.0 :: O(1) for each entry :: key:key0 id* :: Deletes entries of a stream.
        xgroup :: 5.0.0 :: Depends on the subcommand ::  :: Makes, changes and removes groups of a stream and their consumers.
        xgroup|create :: 5.0.0 :: O(1) :: key:key0 groupname id:(id|new_id!$) [MKSTREAM] [ENTRIESREAD=entries_read:integer] :: Makes a group that reads on from an ID.
        xgroup|createconsumer :: 6.2.0 :: O(1) :: key:key0 groupname consumername :: Makes a consumer in a group.
        xgroup|delconsumer :: 5.0.0 :: O(1) :: key:key0 groupname consumername :: Removes a consumer with all that is pending for it.
        xgroup|destroy :: 5.0.0 :: O(1); the memory goes back in the background :: key:key0 groupname :: Removes a group.
        xgroup|help :: 5.0.0 :: O(1) ::  :: Lists the subcommands.
        xgroup|setid :: 5.0.0 :: O(1) :: key:key0 groupname id:(id|new_id!$) [ENTRIESREAD=entries_read:integer] :: Sets the ID that a group reads on from.
        xinfo :: 5.0.0 :: Depends on the subcommand ::  :: Describes a stream, its groups and their consumers.
        xinfo|consumers :: 5.0.0 :: O(1) :: key:key0 groupname :: Describes the consumers of a group.
        xinfo|groups :: 5.0.0 :: O(1) :: key:key0 :: Describes the groups of a stream.
        xinfo|help :: 5.0.0 :: O(1) ::  :: Lists the subcommands.
        xinfo|stream :: 5.0.0 :: O(1) :: key:key0 FULL=full:[[COUNT=count:integer]] :: Describes a stream, with its entries and groups if asked.
        xlen :: 5.0.0 :: O(1) :: key:key0 :: Returns the number of entries in a stream.
        xpending :: 5.0.0 :: O(N), N being the number of entries returned, or looked at with IDLE; O(1) for the summary, and O(N) for N consumers :: key:key0 group filters:[[IDLE=min-idle-time:integer@6.2.0] start end count:integer [consumer]] :: Tells which entries a group has given out that are not done.
        xrange :: 5.0.0 :: O(N), N being the number of entries returned :: key:key0 start end [COUNT=count:integer] :: Returns entries of a stream between two IDs.
        xread :: 5.0.0 :: O(N), N being the number of entries returned :: [COUNT=count:integer] [BLOCK=milliseconds:integer] STREAMS=streams:(key:key0* id*) :: Returns the entries after given IDs of one or more streams, and waits for some if asked.
        xreadgroup :: 5.0.0 :: O(N), N being the number of entries returned :: GROUP=group_consumer:(group consumer) [COUNT=count:integer] [BLOCK=milliseconds:integer] [NOACK] STREAMS=streams:(key:key0* id*) :: Returns entries that a group has not read yet, or what is pending for a consumer, and waits for some if asked.
        xrevrange :: 5.0.0 :: O(N), N being the number of entries returned :: key:key0 end start [COUNT=count:integer] :: Returns entries of a stream between two IDs, the last one first.
        xsetid :: 5.0.0 :: O(1) :: key:key0 last-id [ENTRIESADDED=entries_added:integer@7.0.0] [MAXDELETEDID=max_deleted_entry_id@7.0.0] :: Sets what a stream remembers of its past; for replicas.
        xtrim :: 5.0.0 :: O(N), N being the number of entries deleted :: key:key0 trim:(strategy:(MAXLEN|MINID@6.2.0) operator:[equal!=|approximately!~] threshold [LIMIT=count:integer@6.2.0]) :: Deletes the oldest entries of a stream.
        # sorted-set
        bzmpop :: 7.0.0 :: O(K + M*log(N)), K being the number of keys, N of members and M of those taken :: timeout:double numkeys:integer key:key0* where:(MIN|MAX) [COUNT=count:integer] :: Takes members with the lowest or highest scores from the first sorted set that has any, and waits if none has.
        bzpopmax :: 5.0.0 :: O(log(N)), N being the number of members :: key:key0* timeout:double :: Takes the member with the highest score from the first sorted set that has any, and waits if none has.
        bzpopmin :: 5.0.0 :: O(log(N)), N being the number of members :: key:key0* timeout:double :: Takes the member with the lowest score from the first sorted set that has any, and waits if none has.
        zadd :: 1.2.0 :: O(log(N)) for each member, N being the number of members :: key:key0 condition:[NX|XX]@3.0.2 comparison:[GT|LT]@6.2.0 [change!CH@3.0.2] [increment!INCR@3.0.2] score_member:(score:double member)* :: Adds members with scores to a sorted set, or changes their scores, on conditions if asked.
        zcard :: 1.2.0 :: O(1) :: key:key0 :: Returns the number of members in a sorted set.
        zcount :: 2.0.0 :: O(log(N)), N being the number of members :: key:key0 min:double max:double :: Returns how many members of a sorted set have scores within a range.
        zdiff :: 6.2.0 :: O(K*L + M*log(M)), L being the size of the first set, K the number of sets and M the size of the result :: numkeys:integer key:key0* [WITHSCORES] :: Returns the members of the first sorted set that none of the others has.
        zdiffstore :: 6.2.0 :: O(K*L + M*log(M)), L being the size of the first set, K the number of sets and M the size of the result :: destination:key0 numkeys:integer key:key1* :: Stores the members of the first sorted set that none of the others has.
        zincrby :: 1.2.0 :: O(log(N)), N being the number of members :: key:key0 increment:integer member :: Adds a number to the score of a member; a missing member counts as one with 0.
        zinter :: 6.2.0 :: O(K*L + M*log(M)), L being the size of the smallest set, K the number of sets and M the size of the result :: numkeys:integer key:key0* [WEIGHTS=weight:integer*] [AGGREGATE=aggregate:(SUM|MIN|MAX)] [WITHSCORES] :: Returns the members that several sorted sets have in common.
        zintercard :: 7.0.0 :: O(K*L), L being the size of the smallest set and K the number of sets :: numkeys:integer key:key0* [LIMIT=limit:integer] :: Returns how many members several sorted sets have in common.
        zinterstore :: 2.0.0 :: O(K*L + M*log(M)), L being the size of the smallest set, K the number of sets and M the size of the result :: destination:key0 numkeys:integer key:key1* [WEIGHTS=weight:integer*] [AGGREGATE=aggregate:(SUM|MIN|MAX)] :: Stores the members that several sorted sets have in common.
        zlexcount :: 2.8.9 :: O(log(N)), N being the number of members :: key:key0 min max :: Returns how many members of a sorted set lie within a range of bytes.
        zmpop :: 7.0.0 :: O(K + M*log(N)), K being the number of keys, N of members and M of those taken :: numkeys:integer key:key0* where:(MIN|MAX) [COUNT=count:integer] :: Takes members with the lowest or highest scores from the first sorted set that has any.
        zmscore :: 6.2.0 :: O(N), N being the number of members asked for :: key:key0 member* :: Returns the scores of several members of a sorted set.
        zpopmax :: 5.0.0 :: O(M*log(N)), N being the number of members and M of those taken :: key:key0 [count:integer] :: Takes the members with the highest scores from a sorted set.
        zpopmin :: 5.0.0 :: O(M*log(N)), N being the number of members and M of those taken :: key:key0 [count:integer] :: Takes the members with the lowest scores from a sorted set.
        zrandmember :: 6.2.0 :: O(M*log(N)), N being the number of members and M of those returned :: key:key0 options:[count:integer [WITHSCORES]] :: Returns members of a sorted set picked at random.
        zrange :: 1.2.0 :: O(log(N)+M), N being the number of members and M of those returned :: key:key0 start stop sortby:[BYSCORE|BYLEX]@6.2.0 [REV@6.2.0] [LIMIT=offset_count:(offset:integer count:integer)@6.2.0] [WITHSCORES] :: Returns the members of a sorted set within a range of ranks, scores or bytes.
        zrangebylex :: 2.8.9 :: O(log(N)+M), N being the number of members and M of those returned :: key:key0 min max [LIMIT=offset_count:(offset:integer count:integer)] :: Returns the members of a sorted set within a range of bytes. :: 6.2.0 :: `ZRANGE` with the `BYLEX` argument
        zrangebyscore :: 1.0.5 :: O(log(N)+M), N being the number of members and M of those returned :: key:key0 min:double max:double [WITHSCORES@2.0.0] [LIMIT=offset_count:(offset:integer count:integer)] :: Returns the members of a sorted set within a range of scores. :: 6.2.0 :: `ZRANGE` with the `BYSCORE` argument
        zrangestore :: 6.2.0 :: O(log(N)+M), N being the number of members and M of those stored :: dst:key0 src:key1 min max sortby:[BYSCORE|BYLEX] [REV] [LIMIT=offset_count:(offset:integer count:integer)] :: Stores the members of a sorted set within a range of ranks, scores or bytes.
        zrank :: 2.0.0 :: O(log(N)), N being the number of members :: key:key0 member [WITHSCORE@7.2.0] :: Returns how many members come before one, counted from the lowest score.
        zrem :: 1.2.0 :: O(M*log(N)), N being the number of members and M of those removed :: key:key0 member* :: Removes members from a sorted set.
        zremrangebylex :: 2.8.9 :: O(log(N)+M), N being the number of members and M of those removed :: key:key0 min max :: Removes the members of a sorted set within a range of bytes.
        zremrangebyrank :: 2.0.0 :: O(log(N)+M), N being the number of members and M of those removed :: key:key0 start:integer stop:integer :: Removes the members of a sorted set within a range of ranks.
        zremrangebyscore :: 1.2.0 :: O(log(N)+M), N being the number of members and M of those removed :: key:key0 min:double max:double :: Removes the members of a sorted set within a range of scores.
        zrevrange :: 1.2.0 :: O(log(N)+M), N being the number of members and M of those returned :: key:key0 start:integer stop:integer [WITHSCORES] :: Returns the members of a sorted set within a range of ranks, counted from the highest score. :: 6.2.0 :: `ZRANGE` with the `REV` argument
        zrevrangebylex :: 2.8.9 :: O(log(N)+M), N being the number of members and M of those returned :: key:key0 max min [LIMIT=offset_count:(offset:integer count:integer)] :: Returns the members of a sorted set within a range of bytes, last first. :: 6.2.0 :: `ZRANGE` with the `REV` and `BYLEX` arguments
        zrevrangebyscore :: 2.2.0 :: O(log(N)+M), N being the number of members and M of those returned :: key:key0 max:double min:double [WITHSCORES] [LIMIT=offset_count:(offset:integer count:integer)] :: Returns the members of a sorted set within a range of scores, highest first. :: 6.2.0 :: `ZRANGE` with the `REV` and `BYSCORE` arguments
        zrevrank :: 2.0.0 :: O(log(N)), N being the number of members :: key:key0 member [WITHSCORE@7.2.0] :: Returns how many members come before one, counted from the highest score.
        zscan :: 2.8.0 :: O(1) for a call, O(N) for a whole pass over N members :: key:key0 cursor:integer [MATCH=pattern:pattern] [COUNT=count:integer] :: Walks over the members and scores of a sorted set step by step.
        zscore :: 1.2.0 :: O(1) :: key:key0 member :: Returns the score of a member of a sorted set.
        zunion :: 6.2.0 :: O(N + M*log(M)), N being the size of all sets together and M of the result :: numkeys:integer key:key0* [WEIGHTS=weight:integer*] [AGGREGATE=aggregate:(SUM|MIN|MAX)] [WITHSCORES] :: Returns the members of all of several sorted sets.
        zunionstore :: 2.0.0 :: O(N + M*log(M)), N being the size of all sets together and M of the result :: destination:key0 numkeys:integer key:key1* [WEIGHTS=weight:integer*] [AGGREGATE=aggregate:(SUM|MIN|MAX)] :: Stores the members of all of several sorted sets.
        # geo
        geoadd :: 3.2.0 :: O(log(N)) for each member, N being the number of members :: key:key0 condition:[NX|XX]@6.2.0 [change!CH@6.2.0] longitude_latitude_member:(longitude:double latitude:double member)* :: Adds members with places to a sorted set, or moves them.
        geodist :: 3.2.0 :: O(1) :: key:key0 member1 member2 unit:[M|KM|FT|MI] :: Returns the distance between two members.
        geohash :: 3.2.0 :: O(N), N being the number of members asked for :: key:key0 member* :: Returns the places of members as geohash texts.
        geopos :: 3.2.0 :: O(N), N being the number of members asked for :: key:key0 member* :: Returns the longitudes and latitudes of members.
        georadius :: 3.2.0 :: O(N+log(M)), N being the number of members around the place and M of those found :: key:key0 longitude:double latitude:double radius:double unit:(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] count:[COUNT=count:integer [ANY@6.2.0]] order:[ASC|DESC] [STORE=key:key1] [STOREDIST=key:key2] :: Returns or stores the members within a distance of a place. :: 6.2.0 :: `GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument
        georadius_ro :: 3.2.10 :: O(N+log(M)), N being the number of members around the place and M of those found :: key:key0 longitude:double latitude:double radius:double unit:(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] count:[COUNT=count:integer [ANY@6.2.0]] order:[ASC|DESC] :: Returns the members within a distance of a place. :: 6.2.0 :: `GEOSEARCH` with the `BYRADIUS` argument
        georadiusbymember :: 3.2.0 :: O(N+log(M)), N being the number of members around the place and M of those found :: key:key0 member radius:double unit:(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] count:[COUNT=count:integer [ANY]] order:[ASC|DESC] [STORE=key:key1] [STOREDIST=key:key2] :: Returns or stores the members within a distance of a member. :: 6.2.0 :: `GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments
        georadiusbymember_ro :: 3.2.10 :: O(N+log(M)), N being the number of members around the place and M of those found :: key:key0 member radius:double unit:(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] count:[COUNT=count:integer [ANY]] order:[ASC|DESC] :: Returns the members within a distance of a member. :: 6.2.0 :: `GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments
        geosearch :: 6.2.0 :: O(N+log(M)), N being the number of members around the place and M of those found :: key:key0 from:(FROMMEMBER=member|FROMLONLAT=longitude_latitude:(longitude:double latitude:double)) by:(circle:(BYRADIUS=radius:double unit:(M|KM|FT|MI))|box:(BYBOX=width:double height:double unit:(M|KM|FT|MI))) order:[ASC|DESC] count:[COUNT=count:integer [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH] :: Returns the members within a circle or a box around a place or a member.
        geosearchstore :: 6.2.0 :: O(N+log(M)), N being the number of members around the place and M of those found :: destination:key0 source:key1 from:(FROMMEMBER=member|FROMLONLAT=longitude_latitude:(longitude:double latitude:double)) by:(circle:(BYRADIUS=radius:double unit:(M|KM|FT|MI))|box:(BYBOX=width:double height:double unit:(M|KM|FT|MI))) order:[ASC|DESC] count:[COUNT=count:integer [ANY]] [STOREDIST] :: Stores the members within a circle or a box around a place or a member.
        wait :: 3.0.0 :: O(1) :: numreplicas:integer timeout:integer :: Waits until so many replicas have what the connection has written.
        waitaof :: 7.2.0 :: O(1) :: numlocal:integer numreplicas:integer timeout:integer :: Waits until what the connection has written is on the disks of this server and of so many replicas.
        # list
        blmove :: 6.2.0 :: O(1) :: source:key0 destination:key1 wherefrom:(LEFT|RIGHT) whereto:(LEFT|RIGHT) timeout:double :: Moves an element from one list to another, and waits for one if there is none.
        blmpop :: 7.0.0 :: O(N+M), N being the number of keys and M of the elements taken :: timeout:double numkeys:integer key:key0* where:(LEFT|RIGHT) [COUNT=count:integer] :: Takes elements from the first of several lists that has any, and waits if none has.
        blpop :: 2.0.0 :: O(N), N being the number of keys :: key:key0* timeout:double :: Takes the first element of the first of several lists that has any, and waits if none has.
        brpop :: 2.0.0 :: O(N), N being the number of keys :: key:key0* timeout:double :: Takes the last element of the first of several lists that has any, and waits if none has.
        brpoplpush :: 2.2.0 :: O(1) :: source:key0 destination:key1 timeout:double :: Moves the last element of a list to the front of another, and waits for one if there is none. :: 6.2.0 :: `BLMOVE` with the `RIGHT` and `LEFT` arguments
        lindex :: 1.0.0 :: O(log N), N being the number of elements :: key:key0 index:integer :: Returns an element by its index.
        linsert :: 2.2.0 :: O(N), N being the number of elements before the pivot :: key:key0 where:(BEFORE|AFTER) pivot element :: Puts an element before or after another.
        llen :: 1.0.0 :: O(1) :: key:key0 :: Returns the number of elements in a list.
        lmove :: 6.2.0 :: O(1) :: source:key0 destination:key1 wherefrom:(LEFT|RIGHT) whereto:(LEFT|RIGHT) :: Moves an element from one list to another.
        lmpop :: 7.0.0 :: O(N+M), N being the number of keys and M of the elements taken :: numkeys:integer key:key0* where:(LEFT|RIGHT) [COUNT=count:integer] :: Takes elements from the first of several lists that has any.
        lpop :: 1.0.0 :: O(N), N being the number of elements taken :: key:key0 [count:integer@6.2.0] :: Takes elements from the front of a list.
        lpos :: 6.0.6 :: O(N), N being the number of elements looked at :: key:key0 element [RANK=rank:integer] [COUNT=num-matches:integer] [MAXLEN=len:integer] :: Returns the indexes of elements that equal one.
        lpush :: 1.0.0 :: O(1) for each element :: key:key0 element* :: Adds elements at the front of a list; a missing key starts as an empty one.
        lpushx :: 2.2.0 :: O(1) for each element :: key:key0 element* :: Adds elements at the front of a list that exists.
        lrange :: 1.0.0 :: O(log N + M), N being the number of elements and M of those returned :: key:key0 start:integer stop:integer :: Returns the elements within a range of indexes.
        lrem :: 1.0.0 :: O(N+M), N being the number of elements and M of those removed :: key:key0 count:integer element :: Removes elements that equal one.
        lset :: 1.0.0 :: O(log N), N being the number of elements :: key:key0 index:integer element :: Replaces an element by its index.
        ltrim :: 1.0.0 :: O(N), N being the number of elements removed :: key:key0 start:integer stop:integer :: Removes all elements outside of a range of indexes.
        rpop :: 1.0.0 :: O(N), N being the number of elements taken :: key:key0 [count:integer@6.2.0] :: Takes elements from the end of a list.
        rpoplpush :: 1.2.0 :: O(1) :: source:key0 destination:key1 :: Moves the last element of a list to the front of another. :: 6.2.0 :: `LMOVE` with the `RIGHT` and `LEFT` arguments
        rpush :: 1.0.0 :: O(1) for each element :: key:key0 element* :: Adds elements at the end of a list; a missing key starts as an empty one.
        rpushx :: 2.2.0 :: O(1) for each element :: key:key0 element* :: Adds elements at the end of a list that exists.
        # transactions
        discard :: 2.0.0 :: O(N), N being the number of queued commands ::  :: Drops the queued transaction.
        exec :: 1.2.0 :: Depends on the queued commands ::  :: Runs the queued transaction as one.
        multi :: 1.2.0 :: O(1) ::  :: Begins a transaction: what follows is queued until EXEC.
        unwatch :: 2.2.0 :: O(1) ::  :: Forgets all watched keys.
        watch :: 2.2.0 :: O(1) for each key :: key:key0* :: Makes the next EXEC depend on these keys staying as they are.
        # connection
        auth :: 1.0.0 :: O(N), N being the number of the user's passwords :: [username@6.0.0] password :: Logs the connection in.
        client :: 2.4.0 :: Depends on the subcommand ::  :: Tells about connections and manages them.
        client|caching :: 6.0.0 :: O(1) :: mode:(YES|NO) :: Says whether the keys of the next command are tracked.
        client|getname :: 2.6.9 :: O(1) ::  :: Returns the connection's name.
        client|getredir :: 6.0.0 :: O(1) ::  :: Returns which connection gets this one's invalidation messages.
        client|help :: 5.0.0 :: O(1) ::  :: Lists the subcommands.
        client|id :: 5.0.0 :: O(1) ::  :: Returns the connection's number.
        client|info :: 6.2.0 :: O(1) ::  :: Describes this connection.
        client|kill :: 2.4.0 :: O(N), N being the number of connections :: filter:(ip:port|new-format:([ID=client-id:integer@2.8.12]|TYPE=normal_master_slave_pubsub:[NORMAL|MASTER@3.2.0|SLAVE|REPLICA@5.0.0|PUBSUB]@2.8.12|[USER=username]|[ADDR=ip:port]|[LADDR=ip:port@6.2.0]|[SKIPME=yes/no])*) :: Closes connections that fit the filters.
        client|list :: 2.4.0 :: O(N), N being the number of connections :: TYPE=normal_master_replica_pubsub:[NORMAL|MASTER|REPLICA|PUBSUB]@5.0.0 ID=id:[client-id:integer*]@6.2.0 :: Describes all connections, or those that fit the filters.
        client|no-evict :: 7.0.0 :: O(1) :: enabled:(ON|OFF) :: Exempts the connection from being closed to save memory.
        client|no-touch :: 7.2.0 :: O(1) :: enabled:(ON|OFF) :: Lets the connection read keys without marking them as used.
        client|pause :: 3.0.0 :: O(1) :: timeout:integer mode:[WRITE|ALL]@6.2.0 :: Holds back the commands of all clients, or their writes, for a time.
        client|reply :: 3.2.0 :: O(1) :: on_off_skip:(ON|OFF|SKIP) :: Switches replies to this connection on or off.
        client|setinfo :: 7.2.0 :: O(1) :: attr:(lib-name=libname|lib-ver=libver) :: Notes the client library's name or version for CLIENT LIST.
        client|setname :: 2.6.9 :: O(1) :: connection-name :: Names the connection.
        client|tracking :: 6.0.0 :: O(1) :: status:(ON|OFF) [REDIRECT=client-id:integer] [PREFIX=prefix**] [BCAST] [OPTIN] [OPTOUT] [NOLOOP] :: Has the server tell which of the keys that the connection has read were changed.
        client|trackinginfo :: 6.2.0 :: O(1) ::  :: Returns how the connection's keys are tracked.
        client|unblock :: 5.0.0 :: O(log N), N being the number of connections :: client-id:integer timeout_error:[TIMEOUT|ERROR] :: Ends the wait of a client that a blocking command holds.
        client|unpause :: 6.2.0 :: O(N), N being the number of paused clients ::  :: Ends CLIENT PAUSE.
        echo :: 1.0.0 :: O(1) :: message :: Returns the message.
        hello :: 6.0.0 :: O(1) :: arguments:[protover:integer AUTH=username_password:[username password] [SETNAME=clientname]] :: Greets the server: chooses the protocol version, logs in, names the connection.
        ping :: 1.0.0 :: O(1) :: [message] :: Tells that the server is alive, or returns the message.
        quit :: 1.0.0 :: O(1) ::  :: Closes the connection. :: 7.2.0 :: just closing the connection
        reset :: 6.2.0 :: O(1) ::  :: Puts the connection into the state of a new one.
        select :: 1.0.0 :: O(1) :: index:integer :: Chooses the database that the connection works on.
        # pubsub
        psubscribe :: 2.0.0 :: O(N), N being the number of patterns :: pattern:(pattern:pattern)* :: Listens to all channels whose names match.
        publish :: 2.0.0 :: O(N+M), N being the number of the channel's listeners and M that of all patterns :: channel message :: Sends a message to a channel.
        pubsub :: 2.8.0 :: Depends on the subcommand ::  :: Tells about channels and who listens.
        pubsub|channels :: 2.8.0 :: O(N), N being the number of channels :: [pattern:pattern] :: Returns the channels that somebody listens to.
        pubsub|help :: 6.2.0 :: O(1) ::  :: Lists the subcommands.
        pubsub|numpat :: 2.8.0 :: O(1) ::  :: Counts the patterns that somebody listens to.
        pubsub|numsub :: 2.8.0 :: O(N), N being the number of channels asked for :: [channel*] :: Counts the listeners of channels.
        pubsub|shardchannels :: 7.0.0 :: O(N), N being the number of shard channels :: [pattern:pattern] :: Returns the shard channels that somebody listens to.
        pubsub|shardnumsub :: 7.0.0 :: O(N), N being the number of shard channels asked for :: [shardchannel*] :: Counts the listeners of shard channels.
        punsubscribe :: 2.0.0 :: O(N), N being the number of patterns :: [pattern:pattern*] :: Stops listening to some or all patterns.
        spublish :: 7.0.0 :: O(N), N being the number of the channel's listeners :: shardchannel message :: Sends a message to a shard channel.
        ssubscribe :: 7.0.0 :: O(N), N being the number of shard channels :: shardchannel* :: Listens to shard channels.
        subscribe :: 2.0.0 :: O(N), N being the number of channels :: channel* :: Listens to channels.
        sunsubscribe :: 7.0.0 :: O(N), N being the number of shard channels :: [shardchannel*] :: Stops listening to some or all shard channels.
        unsubscribe :: 2.0.0 :: O(N), N being the number of channels :: [channel*] :: Stops listening to some or all channels.
        # server
        acl :: 6.0.0 :: Depends on the subcommand ::  :: Tells and changes who may do what.
        acl|cat :: 6.0.0 :: O(1) :: [categoryname] :: Returns the categories of commands, or the commands of one.
        acl|deluser :: 6.0.0 :: O(1) :: username* :: Removes users and ends their connections.
        acl|dryrun :: 7.0.0 :: O(1) :: username command [arg*] :: Tells whether a user could run a command, without running it.
        acl|genpass :: 6.0.0 :: O(1) :: [bits:integer] :: Makes a random password.
        acl|getuser :: 6.0.0 :: O(N), N being the number of the user's rules :: username :: Returns the rules of a user.
        acl|help :: 6.0.0 :: O(1) ::  :: Lists the subcommands.
        acl|list :: 6.0.0 :: O(N), N being the number of users ::  :: Returns all users as lines of an ACL file.
        acl|load :: 6.0.0 :: O(N), N being the number of users ::  :: Reads the users from the ACL file again.
        acl|log :: 6.0.0 :: O(N), N being the number of entries :: operation:[count:integer|RESET] :: Returns what was denied lately, or forgets it.
        acl|save :: 6.0.0 :: O(N), N being the number of users ::  :: Writes the users to the ACL file.
        acl|setuser :: 6.0.0 :: O(N), N being the number of rules :: username [rule*] :: Makes or changes a user.
        acl|users :: 6.0.0 :: O(N), N being the number of users ::  :: Returns the names of all users.
        acl|whoami :: 6.0.0 :: O(1) ::  :: Returns the name of the connection's user.
        command :: 2.8.13 :: O(N), N being the number of commands ::  :: Describes all commands.
        command|count :: 2.8.13 :: O(1) ::  :: Counts the commands.
        command|docs :: 7.0.0 :: O(N), N being the number of commands asked for :: [command-name*] :: Returns the documentation of commands.
        command|getkeys :: 2.8.13 :: O(N), N being the number of arguments :: command [arg*] :: Finds the keys among a command's arguments.
        command|getkeysandflags :: 7.0.0 :: O(N), N being the number of arguments :: command [arg*] :: Finds the keys among a command's arguments, and what becomes of them.
        command|help :: 5.0.0 :: O(1) ::  :: Lists the subcommands.
        command|info :: 2.8.13 :: O(N), N being the number of commands asked for :: [command-name*] :: Describes some or all commands.
        command|list :: 7.0.0 :: O(N), N being the number of commands :: FILTERBY=filterby:[MODULE=module-name|ACLCAT=category|PATTERN=pattern:pattern] :: Lists the names of all commands, or of those that fit a filter.
        config :: 2.0.0 :: Depends on the subcommand ::  :: Reads and changes the configuration.
        config|get :: 2.0.0 :: O(N), N being the number of settings asked for :: parameter:(parameter)* :: Returns the settings whose names match.
        config|help :: 5.0.0 :: O(1) ::  :: Lists the subcommands.
        config|resetstat :: 2.0.0 :: O(1) ::  :: Sets the counters that INFO shows back to zero.
        config|rewrite :: 2.8.0 :: O(1) ::  :: Writes the settings in force into the configuration file.
        config|set :: 2.0.0 :: O(N), N being the number of settings given :: parameter_value:(parameter value)* :: Changes settings; all of them or none.
        dbsize :: 1.0.0 :: O(1) ::  :: Counts the keys of the database.
        debug :: 1.0.0 :: Depends on the subcommand ::  :: Helps those who develop and test the server. :: syscmd
        flushall :: 1.0.0 :: O(N), N being the number of keys in all databases :: async:[ASYNC@4.0.0|SYNC@6.2.0] :: Deletes the keys of all databases.
        flushdb :: 1.0.0 :: O(N), N being the number of keys in the database :: async:[ASYNC@4.0.0|SYNC@6.2.0] :: Deletes the keys of the database.
        info :: 1.0.0 :: O(1) :: [section*] :: Reports the server's state and counters.
        bgrewriteaof :: 1.0.0 :: O(N), N being the number of keys, on another thread ::  :: Writes a new base for the log in the background.
        bgsave :: 1.0.0 :: O(N), N being the number of keys, on another thread :: [SCHEDULE@3.2.2] :: Writes a snapshot in the background.
        lastsave :: 1.0.0 :: O(1) ::  :: Returns the Unix time of the last snapshot that succeeded.
        latency :: 2.8.13 :: Depends on the subcommand ::  :: Tells what made the server slow to answer.
        latency|doctor :: 2.8.13 :: O(1) ::  :: Explains the latencies that were measured.
        latency|graph :: 2.8.13 :: O(1) :: event :: Draws an event's latencies.
        latency|help :: 2.8.13 :: O(1) ::  :: Lists the subcommands.
        latency|histogram :: 7.0.0 :: O(N), N being the number of commands with figures :: [command*] :: Returns how the run times of commands are spread.
        latency|history :: 2.8.13 :: O(1) :: event :: Returns an event's latencies with their times.
        latency|latest :: 2.8.13 :: O(1) ::  :: Returns the last and the worst latency of every event.
        latency|reset :: 2.8.13 :: O(1) :: [event*] :: Forgets the latencies of some or all events.
        lolwut :: 5.0.0 ::  :: [VERSION=version:integer] :: Shows a piece of computer art and the server's version.
        memory :: 4.0.0 :: Depends on the subcommand ::  :: Tells what the memory is used for.
        memory|doctor :: 4.0.0 :: O(1) ::  :: Looks for problems with memory.
        memory|help :: 4.0.0 :: O(1) ::  :: Lists the subcommands.
        memory|malloc-stats :: 4.0.0 :: Depends on how much memory is allocated ::  :: Returns the allocator's own report.
        memory|purge :: 4.0.0 :: Depends on how much memory is allocated ::  :: Asks the allocator to give memory back.
        memory|stats :: 4.0.0 :: O(1) ::  :: Returns what memory is used for in figures.
        memory|usage :: 4.0.0 :: O(N), N being the number of samples :: key:key0 [SAMPLES=count:integer] :: Estimates the bytes that a key and its value take.
        module :: 4.0.0 :: Depends on the subcommand ::  :: Tells of modules, of which there are none.
        module|help :: 5.0.0 :: O(1) ::  :: Lists the subcommands.
        module|list :: 4.0.0 :: O(N), N being the number of modules ::  :: Lists the modules that are loaded: none.
        module|load :: 4.0.0 :: O(1) :: path [arg*] :: Refused: no module can be loaded.
        module|loadex :: 7.0.0 :: O(1) :: path [CONFIG=configs:(name value)**] [ARGS=args:(arg)*] :: Refused: no module can be loaded.
        module|unload :: 4.0.0 :: O(1) :: name :: Refused: no module is loaded.
        monitor :: 1.0.0 ::  ::  :: Shows every command that the server runs.
        failover :: 6.2.0 :: O(1) :: [TO=target:(host port:integer [FORCE])] [ABORT] [TIMEOUT=milliseconds:integer] :: Lets this primary change places with a replica, without losing a write.
        psync :: 2.8.0 ::  :: replicationid offset:integer :: Asks for the stream from a place on. Replicas say it.
        replconf :: 3.0.0 :: O(1) ::  :: Tells a primary what a replica can, and how far it is. :: syscmd
        replicaof :: 5.0.0 :: O(1) :: args:(host-port:(host port:integer)|no-one:(NO ONE)) :: Makes the server follow a primary, or be one again.
        slaveof :: 1.0.0 :: O(1) :: args:(host-port:(host port:integer)|no-one:(NO ONE)) :: Makes the server follow a primary, or be one again. :: 5.0.0 :: `REPLICAOF`
        sync :: 1.0.0 ::  ::  :: Asks for all data and then the stream.
        role :: 2.8.12 :: O(1) ::  :: Returns whether the server is a primary or a replica, with its peers.
        save :: 1.0.0 :: O(N), N being the number of keys ::  :: Writes a snapshot while everybody waits.
        shutdown :: 1.0.0 :: O(N) when a snapshot is saved, N being the number of keys; else O(1) :: nosave_save:[NOSAVE|SAVE] [NOW@7.0.0] [FORCE@7.0.0] [ABORT@7.0.0] :: Stops the server in order.
        slowlog :: 2.2.12 :: Depends on the subcommand ::  :: Keeps the commands that took long.
        slowlog|get :: 2.2.12 :: O(N), N being the number of entries returned :: [count:integer] :: Returns the latest slow commands.
        slowlog|help :: 6.2.0 :: O(1) ::  :: Lists the subcommands.
        slowlog|len :: 2.2.12 :: O(1) ::  :: Counts the slow commands that are kept.
        slowlog|reset :: 2.2.12 :: O(N), N being the number of entries ::  :: Forgets the slow commands.
        swapdb :: 4.0.0 :: O(N), N being the number of clients that watch or wait for keys of the two :: index1:integer index2:integer :: Swaps two databases.
        time :: 2.6.0 :: O(1) ::  :: Returns the server's clock in seconds and microseconds.
        """
}
