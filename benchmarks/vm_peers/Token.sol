// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// A token that moves balances: the peer of tests/vm's `token.contract`.
contract Token {
    mapping(address => uint256) public balances;

    event Transferred(address indexed sender, address indexed recipient, uint256 amount);

    constructor(uint256 supply) {
        balances[msg.sender] = supply;
    }

    function transfer(address recipient, uint256 amount) external returns (bool) {
        require(amount > 0, "amount must be positive");
        require(balances[msg.sender] >= amount, "balance too low");
        balances[msg.sender] -= amount;
        balances[recipient] += amount;
        emit Transferred(msg.sender, recipient, amount);
        return true;
    }
}
