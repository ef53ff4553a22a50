// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// The commit phase of a training round: the peer of `rounds.submit`.
contract Rounds {
    enum Phase { Open, Commit, Reveal }

    struct Update {
        bytes32 commitment;
        uint256 bond;
        uint64 committedAtHeight;
    }

    struct Round {
        Phase phase;
        uint64 commitUntil;
        uint256 bond;
        address[] trainers;
        mapping(address => Update) updates;
    }

    mapping(uint256 => Round) private rounds;

    event Submitted(uint256 indexed round, address indexed trainer, bytes32 commitment);

    function open(uint256 round, uint64 commitUntil, uint256 bond) external {
        Round storage opened = rounds[round];
        require(opened.phase == Phase.Open, "the round is open already");
        opened.phase = Phase.Commit;
        opened.commitUntil = commitUntil;
        opened.bond = bond;
    }

    function submit(uint256 round, bytes32 commitment) external payable {
        Round storage current = rounds[round];
        require(current.phase == Phase.Commit, "the round takes no commitments");
        require(block.timestamp < current.commitUntil, "the commit phase is over");
        require(msg.value == current.bond, "the bond is another amount");
        require(current.updates[msg.sender].commitment == bytes32(0), "committed already");
        current.updates[msg.sender] = Update(commitment, msg.value, uint64(block.number));
        current.trainers.push(msg.sender);
        emit Submitted(round, msg.sender, commitment);
    }
}
